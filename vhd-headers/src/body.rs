//! What of an image is not its footer: all the disk at once, or tables and blocks.

use extents::failure::Failure;
use extents::image::file::ImageFile;

use crate::footer::{DiskType, Footer};
use crate::footer_search::{self, Found};
use crate::sparse::Sparse;

#[derive(Debug)]
pub(crate) enum Body {
    /// All of the disk, from byte 0 of the file on: a fixed VHD or a raw image.
    Flat,
    Sparse(Sparse),
}

/// Reads the footer, and what of the body decides where data is.
pub(crate) fn parse(file: &ImageFile) -> Result<(Found, Body), Failure> {
    let found = footer_search::find(file)?;
    let body = match found.footer.disk_type {
        DiskType::Fixed => {
            check_fixed(file, &found.footer, found.data_end)?;
            Body::Flat
        }
        DiskType::Dynamic | DiskType::Differencing => {
            Body::Sparse(Sparse::open(file, &found.footer, found.data_end)?)
        }
    };
    Ok((found, body))
}

/// Where the trailing footer begins, all of the disk must have ended.
fn check_fixed(file: &ImageFile, footer: &Footer, data_end: u64) -> Result<(), Failure> {
    if footer.current_size > data_end {
        return Err(file.damaged(format!(
            "the data of the fixed disk is cut off: found {data_end} bytes before the footer, expected {}",
            footer.current_size
        )));
    }
    Ok(())
}
