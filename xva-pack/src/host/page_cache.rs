//! Hints to the kernel about the pages of a file: what will be read soon, and what will not be read again.

use std::fs::File;
use std::num::NonZeroU64;

use extents::image::file::ImageFile;
use rustix::fs::{Advice, fadvise};

/// Announces `[offset, offset + length)`: the kernel begins to read it, and nobody waits. A hint that is refused
/// costs time only.
pub(crate) fn will_need(file: &ImageFile, offset: u64, length: u64) {
    let _ = fadvise(file.as_file(), offset, NonZeroU64::new(length), Advice::WillNeed);
}

/// Lets the kernel forget `[offset, offset + length)`, which was read and will not be again.
pub(crate) fn will_not_need(file: &ImageFile, offset: u64, length: u64) {
    let _ = fadvise(file.as_file(), offset, NonZeroU64::new(length), Advice::DontNeed);
}

/// Announces that little of a file will be read, here and there: what follows such a place is not needed.
pub(crate) fn is_read_at_random(file: &File) {
    let _ = fadvise(file, 0, None, Advice::Random);
}
