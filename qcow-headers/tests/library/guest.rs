//! The guest's view of a chain, read through its extents: what a reader of the map would read.

use std::io::Read;
use std::path::Path;

use extents::extent::{CompressedCluster, Compression, Content, Extent, Extents};
use extents::failure::Failure;
use extents::image::confinement::{Confinement, SearchPaths};
use extents::image::file::ImageFile;
use qcow_headers::chain::{Chain, Options};

/// Opens an image with all that lies below it, and its data files.
pub(crate) fn open(image: &Path) -> Result<Chain, Failure> {
    open_with(image, Options { backing: true, backing_format: None, data: true })
}

/// Opens an image.
pub(crate) fn open_with(image: &Path, options: Options) -> Result<Chain, Failure> {
    let confinement = Confinement::new(image, &SearchPaths::default())?;
    Chain::open(ImageFile::open(image)?, &confinement, options)
}

/// The extents, which must follow each other without a gap and end with the virtual size.
pub(crate) fn extents(chain: &Chain, walk: Extents<'_>) -> Result<Vec<Extent>, Failure> {
    let extents = walk.collect::<Result<Vec<_>, _>>()?;
    let mut end = 0;
    for extent in &extents {
        assert!(extent.start == end && extent.length > 0, "{extent:?} does not follow {end}");
        end = extent.end();
    }
    assert_eq!(end, chain.virtual_size());
    Ok(extents)
}

/// What the guest reads.
pub(crate) fn read(chain: &Chain) -> Result<Vec<u8>, Failure> {
    let files: Vec<&ImageFile> = chain.data_files().collect();
    let mut guest = vec![0; usize::try_from(chain.virtual_size()).unwrap()];
    for extent in extents(chain, chain.extents())? {
        let target =
            &mut guest[usize::try_from(extent.start).unwrap()..usize::try_from(extent.end()).unwrap()];
        let file = files.get(usize::from(extent.layer));
        match extent.content {
            Content::Absent | Content::Zero => {}
            Content::Data { offset } => file.unwrap().read_exact_at(target, offset, "data")?,
            Content::Compressed(cluster) => {
                let whole = decompress(file.unwrap(), cluster)?;
                let skip = cluster.skip as usize;
                target.copy_from_slice(&whole[skip..skip + target.len()]);
            }
        }
    }
    Ok(guest)
}

/// A compressed cluster that lost bytes of its last sector cannot be told by the tables; it is here that it shows.
fn decompress(file: &ImageFile, cluster: CompressedCluster) -> Result<Vec<u8>, Failure> {
    let length = u64::from(cluster.host_length).min(file.size() - cluster.offset);
    let mut stored = vec![0; usize::try_from(length).unwrap()];
    file.read_exact_at(&mut stored, cluster.offset, "compressed cluster")?;
    let mut whole = vec![0; cluster.cluster_size as usize];
    match cluster.compression {
        Compression::Zlib => flate2::read::DeflateDecoder::new(stored.as_slice()).read_exact(&mut whole),
        Compression::Zstd => {
            zstd::Decoder::new(stored.as_slice()).and_then(|mut decoder| decoder.read_exact(&mut whole))
        }
    }
    .map_err(|error| file.damaged(format!("cannot decompress: {error}")))?;
    Ok(whole)
}

/// For each unit of 2^`bits` bytes, whether some of its extents is data.
pub(crate) fn units(extents: &[Extent], virtual_size: u64, bits: u32) -> Vec<bool> {
    let mut units =
        vec![false; usize::try_from(extents::extent::rescale::units(virtual_size, bits)).unwrap()];
    for extent in extents.iter().filter(|extent| extent.is_data()) {
        let first = usize::try_from(extent.start >> bits).unwrap();
        let last = usize::try_from((extent.end() - 1) >> bits).unwrap();
        units[first..=last].fill(true);
    }
    units
}
