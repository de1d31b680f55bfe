//! The files that an image names: its backing file and its external data file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use extents::failure::Failure;
use extents::image::confinement::{Confinement, Found};
use extents::image::file::ImageFile;

use crate::first_cluster::FirstCluster;
use crate::format::Format;

/// Opens the backing file that `image` names in its first cluster, if it has one. Its format is `default_format` if the image
/// does not say it.
///
/// Status 4 for a format that is not known, or of which nothing is said; otherwise as [`Confinement::open`].
pub(crate) fn open_backing_file(
    image: &ImageFile,
    first_cluster: &FirstCluster,
    confinement: &Confinement,
    default_format: Option<Format>,
) -> Result<Option<(Found, Format)>, Failure> {
    let Some(name) = &first_cluster.backing_name else { return Ok(None) };
    let format = match first_cluster.extensions.backing_format.as_deref() {
        Some(b"qcow2") => Format::Qcow2,
        Some(b"raw") => Format::Raw,
        Some(other) => {
            return Err(image.unsupported(format!(
                "the backing file {} has a format that this program does not read: found {}, expected qcow2 or raw",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(other)
            )));
        }
        None => default_format.ok_or_else(|| {
            image.unsupported(format!(
                "does not say which format the backing file {} has: --backing-format qcow2 or raw says it",
                String::from_utf8_lossy(name)
            ))
        })?,
    };
    let found = open_named(image, confinement, name, "backing file", "qemu-img rebase -u -b NAME -F FORMAT")?;
    Ok(Some((found, format)))
}

/// Opens the external data file of `image`, which must have one.
///
/// Status 4 if it has no name; otherwise as [`Confinement::open`].
pub(crate) fn open_data_file(
    image: &ImageFile,
    first_cluster: &FirstCluster,
    confinement: &Confinement,
) -> Result<Found, Failure> {
    let Some(name) = first_cluster.extensions.data_file.as_deref().filter(|name| !name.is_empty()) else {
        return Err(image.unsupported("has an external data file, but does not say its name"));
    };
    open_named(image, confinement, name, "external data file", "qemu-img amend -o data_file=NAME")
}

fn open_named(
    image: &ImageFile,
    confinement: &Confinement,
    name: &[u8],
    what: &str,
    remedy: &str,
) -> Result<Found, Failure> {
    // QEMU's rule: what ends with a colon before the first slash is no path but a protocol, `json:` included.
    if name.iter().find(|byte| matches!(byte, b':' | b'/')) == Some(&b':') {
        return Err(image.unsupported(format!(
            "the {what} is not a file but a QEMU protocol: found {}",
            String::from_utf8_lossy(name)
        )));
    }
    confinement.open(image, Path::new(OsStr::from_bytes(name)), what, remedy)
}
