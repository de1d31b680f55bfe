//! The guest's view of a chain, read through its extents, and what else the library says about an image, in forms that
//! tests compare.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use extents::document::print::{Form, Printer};
use extents::extent::stored::Stored;
use extents::extent::{Content, Extent};
use extents::failure::{Failure, Status};
use extents::frame::disk_output::map_file;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;
use image_builders::vhd::{Built, Vhd};
use image_builders::walk::{covering, units};
use vhd_headers::chain::{Chain, Options};
use vhd_headers::granularity::Granularity;

/// Opens the chain of the image at `path`; its parents lie beside it.
pub(crate) fn open(path: &Path) -> Result<Chain, Failure> {
    open_with(path, &[], true)
}

/// Opens the chain of the image at `path`, whose parents may also lie in `directory`.
pub(crate) fn open_within(path: &Path, directory: &Path) -> Result<Chain, Failure> {
    open_with(path, &[directory.to_path_buf()], true)
}

/// Opens the image at `path` without its parents.
pub(crate) fn open_alone(path: &Path) -> Result<Chain, Failure> {
    open_with(path, &[], false)
}

fn open_with(path: &Path, search_paths: &[PathBuf], parents: bool) -> Result<Chain, Failure> {
    let confinement = Confinement::new(Some(path), search_paths)?;
    Chain::open(ImageFile::open(path)?, &confinement, Options { parents })
}

/// The extents of a chain, which must cover its disk.
pub(crate) fn extents(chain: &Chain, granularity: Granularity) -> Result<Vec<Extent>, Failure> {
    covering(chain.extents(granularity)?, chain.virtual_size())
}

/// The disk as one reads it who follows the extents.
pub(crate) fn content(chain: &Chain, extents: &[Extent]) -> Vec<u8> {
    let mut disk = vec![0; usize::try_from(chain.virtual_size()).unwrap()];
    for extent in extents {
        let bytes = &mut disk[usize::try_from(extent.start).unwrap()..usize::try_from(extent.end()).unwrap()];
        if let Content::Data(Stored::Plain { offset }) = extent.content {
            let file = chain.layers()[usize::from(extent.layer)].file();
            file.as_file().read_exact_at(bytes, offset).unwrap();
        }
    }
    disk
}

/// What the program prints for an image, at block granularity unless it is told otherwise.
pub(crate) fn document(
    path: &Path,
    granularity: Granularity,
    cluster_bits: Option<u32>,
    form: Form,
) -> Result<String, Failure> {
    let chain = open(path)?;
    let printer = Printer {
        form,
        virtual_size: chain.virtual_size(),
        cluster_bits: cluster_bits.unwrap_or(chain.cluster_bits()),
        files: chain.data_files().into_iter().map(map_file).collect(),
    };
    let mut out = Vec::new();
    printer.print(chain.extents(granularity)?, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// The intervals of an image at block granularity: what stands between the outer brackets of `data_clusters`.
pub(crate) fn intervals(path: &Path) -> String {
    let document = document(path, Granularity::Block, None, Form::Intervals).unwrap();
    let (_, runs) = document.split_once("\"data_clusters\":").unwrap();
    runs.trim_end().trim_end_matches('}').to_owned()
}

/// Writes `image` to a directory of its own and returns how opening it fails: the status and the sentence, without the
/// name of the directory.
pub(crate) fn failure_of(image: &Built) -> (Status, String) {
    let directory = tempfile::tempdir().unwrap();
    failure_in(directory.path(), image)
}

/// Writes `image` to `directory`, which may hold its parents, and returns how opening it fails.
pub(crate) fn failure_in(directory: &Path, image: &Built) -> (Status, String) {
    let path = image.write_to(directory).unwrap();
    let failure = open(&path).and_then(|chain| extents(&chain, Granularity::Sector).map(|_| ())).unwrap_err();
    (failure.status(), failure.to_string().replace(&format!("{}/", directory.display()), ""))
}

/// Asserts that a single image is answered, and holds exactly what was written to it.
pub(crate) fn assert_answered(image: &Vhd, built: &Built) {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(&built.write_to(directory.path()).unwrap()).unwrap();
    assert_exact(&chain, &image_builders::vhd::Chain(vec![image.clone()]));
}

/// Asserts that `chain` shows the disk of `truth`, and no sector more than it stores.
pub(crate) fn assert_exact(chain: &Chain, truth: &image_builders::vhd::Chain) {
    let sectors = extents(chain, Granularity::Sector).unwrap();
    assert!(content(chain, &sectors) == truth.truth(), "the content differs");
    assert_eq!(units(&sectors, 9), truth.stored_sectors());
    let bits = chain.cluster_bits();
    assert_eq!(units(&extents(chain, Granularity::Block).unwrap(), bits), truth.touched_units(bits));
}
