//! Where the footer is: at the end of the file, or else in the copy at byte 0.
//!
//! The last one is the one that libvhd trusts, and the only one of a fixed disk, whose first sector is the
//! guest's and may well be the footer of a VHD that the guest keeps. Many other readers look at the copy only.

use extents::failure::{Failure, Status};
use extents::image::file::ImageFile;
use extents::image::magic;

use crate::footer::{DiskType, Footer, SIZE};

/// The footer that an image is read by.
#[derive(Debug)]
pub(crate) struct Found {
    /// What it says.
    pub(crate) footer: Footer,
    /// File offset at which data must end: that of the trailing footer, or the end of the file without one.
    pub(crate) data_end: u64,
    /// For people: which footer it was, and what is wrong with the others.
    pub(crate) notes: Vec<String>,
    /// What people should know although they did not ask: the copy of the footer describes another disk.
    pub(crate) warning: Option<String>,
}

/// A footer's bytes, and what they mean.
struct Place {
    at: u64,
    bytes: [u8; SIZE],
    read: Result<Option<Footer>, Failure>,
}

/// Finds the footer of `file`.
pub(crate) fn find(file: &ImageFile) -> Result<Found, Failure> {
    let head = place(file, 0, SIZE)?;
    let last = last(file)?;
    match last.read {
        Ok(Some(footer)) => {
            let mut notes = vec![format!("the footer at byte {} is used", last.at)];
            let mut warning = None;
            if footer.disk_type != DiskType::Fixed {
                notes.extend(compare(&head, &last.bytes)?);
                warning = contradiction(&head, &footer);
            }
            Ok(Found { footer, data_end: last.at, notes, warning })
        }
        Ok(None) => copy(file, head, "there is no footer at the end of the file"),
        // A fixed disk has no copy: what lies at byte 0 is the guest's.
        Err(failure) if failure.status() != Status::Damaged || Footer::claims_fixed(&last.bytes) => {
            Err(failure)
        }
        Err(failure) => match head.read {
            Ok(Some(_)) => copy(file, head, "the footer at the end of the file is damaged"),
            _ => Err(failure),
        },
    }
}

/// What is to be said of the copy at byte 0, beside a sound `last` footer. An image that was taken out of use there is
/// out of use.
fn compare(head: &Place, last: &[u8; SIZE]) -> Result<Option<String>, Failure> {
    let copy = "the copy of the footer at byte 0";
    match &head.read {
        Ok(Some(_)) if head.bytes == *last => Ok(None),
        Ok(Some(_)) => Ok(Some(format!("{copy} is sound but differs"))),
        Ok(None) => Ok(Some(format!("{copy} is missing"))),
        Err(failure) if failure.status() == Status::Damaged => Ok(Some(format!("{copy} is damaged"))),
        Err(failure) => Err(failure.clone()),
    }
}

/// Says where a sound copy at byte 0 is about another disk than the footer that is `used`: libvhd goes by the
/// last one too, but other readers by the copy.
fn contradiction(head: &Place, used: &Footer) -> Option<String> {
    let Ok(Some(copy)) = &head.read else { return None };
    let decisive = |footer: &Footer| (footer.disk_type, footer.current_size, footer.data_offset);
    (decisive(copy) != decisive(used)).then(|| {
        format!(
            "the two footers contradict each other: the last one, which is used, says {:?} with {} bytes, the copy \
             at byte 0 {:?} with {} bytes",
            used.disk_type, used.current_size, copy.disk_type, copy.current_size
        )
    })
}

/// The answer by the copy at byte 0. `note` says why it is needed.
fn copy(file: &ImageFile, head: Place, note: &str) -> Result<Found, Failure> {
    match head.read? {
        Some(footer) if footer.disk_type != DiskType::Fixed => Ok(Found {
            footer,
            data_end: file.size(),
            notes: vec![format!("{note}: its copy at byte 0 is used")],
            warning: None,
        }),
        Some(_) => Err(file.damaged(
            "no footer at the end of the file: found only one at byte 0 that says fixed, expected it last",
        )),
        None => Err(file.damaged(format!(
            "is not a VHD: found {}, expected the cookie conectix in the last 512 bytes or at byte 0",
            magic::describe_file(file, "vhd")?
        ))),
    }
}

/// The footer that ends the file: of 512 bytes, or of 511 as Virtual PC wrote it before 2004.
fn last(file: &ImageFile) -> Result<Place, Failure> {
    let whole = place(file, file.size().saturating_sub(SIZE as u64), SIZE)?;
    if !matches!(whole.read, Ok(None)) {
        return Ok(whole);
    }
    let short = place(file, file.size().saturating_sub(SIZE as u64 - 1), SIZE - 1)?;
    Ok(if matches!(short.read, Ok(Some(_))) { short } else { whole })
}

/// Reads `length` bytes as a footer; those that it lacks are zeros, and so is all of it in a file that is too short.
fn place(file: &ImageFile, at: u64, length: usize) -> Result<Place, Failure> {
    let mut bytes = [0; SIZE];
    if file.size() >= length as u64 {
        file.read_exact_at(&mut bytes[..length], at, "footer")?;
    }
    let read = Footer::parse(&bytes, at).map_err(|failure| failure.in_file(file.path()));
    Ok(Place { at, bytes, read })
}
