//! The guest's view of a chain, read through its extents: what a reader of the map would read.

use std::io::Read;
use std::path::Path;

use extents::extent::stored::{CompressedCluster, Compression, Stored};
use extents::extent::{Content, Extent};
use extents::failure::Failure;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;
use extents::image::holes::SkipHoles;
use image_builders::walk::covering;
use qcow_headers::chain::{Chain, Options};

/// Opens an image with all that lies below it, and its data files.
pub(crate) fn open(image: &Path) -> Result<Chain, Failure> {
    open_with(image, Options { backing: true, backing_format: None, data: true })
}

/// Opens an image.
pub(crate) fn open_with(image: &Path, options: Options) -> Result<Chain, Failure> {
    let confinement = Confinement::new(Some(image), &[])?;
    Chain::open(ImageFile::open(image)?, &confinement, options)
}

/// The extents of the chain, which must cover its disk.
pub(crate) fn extents(chain: &Chain) -> Result<Vec<Extent>, Failure> {
    covering(chain.extents(), chain.virtual_size())
}

/// The extents of the chain with the holes of its files as zeros, which must cover its disk.
pub(crate) fn extents_without_holes(chain: &Chain) -> Result<Vec<Extent>, Failure> {
    covering(SkipHoles::new(chain.extents(), chain.data_files()?), chain.virtual_size())
}

/// What the guest reads.
pub(crate) fn read(chain: &Chain) -> Result<Vec<u8>, Failure> {
    let files = chain.data_files()?;
    let mut guest = vec![0; usize::try_from(chain.virtual_size()).unwrap()];
    for extent in extents(chain)? {
        let target =
            &mut guest[usize::try_from(extent.start).unwrap()..usize::try_from(extent.end()).unwrap()];
        let file = files.get(usize::from(extent.layer));
        match extent.content {
            Content::Absent | Content::Zero => {}
            Content::Data(Stored::Plain { offset }) => file.unwrap().read_exact_at(target, offset, "data")?,
            Content::Data(Stored::Compressed(cluster)) => {
                let whole = decompress(file.unwrap(), cluster)?;
                let skip = usize::try_from(cluster.skip).unwrap();
                target.copy_from_slice(&whole[skip..skip + target.len()]);
            }
        }
    }
    Ok(guest)
}

/// A compressed cluster that lost bytes of its last sector cannot be told by the tables; it is here that it shows.
fn decompress(file: &ImageFile, cluster: CompressedCluster) -> Result<Vec<u8>, Failure> {
    let length = cluster.host_length.min(file.size() - cluster.offset);
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
