//! Whether an image is still what it was when its walk began. Chains are coalesced and disks written at any time, and a
//! walk that saw a part of the image before and a part after the change describes a disk that never was.
//!
//! What decides where data lies is looked at again, and not the time of the last change: a guest that writes to clusters
//! it has already does no harm. The time only tells a change from damage, and speaks for files that have no tables.

use std::fs;
use std::ops::Range;

use crc32fast::Hasher;

use crate::failure::{Failure, Status};
use crate::image::file::ImageFile;
use crate::image::identity::Identity;
use crate::image::window::Window;

/// Bytes of a table that are held at a time.
const WINDOW: usize = 64 << 10;

/// Bytes of tables, one after the other, as a number. A CRC-32 shows every change of a single entry that spans no more
/// than 32 bits; of others one in 2^32 escapes it. The 4 MiB of 2^20 VHD blocks take less than 1 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    bytes: u64,
    crc: u32,
}

impl Fingerprint {
    /// How many bytes were added.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Appends `bytes`.
    pub fn add(&mut self, bytes: &[u8]) {
        let mut hasher = Hasher::new_with_initial(self.crc);
        hasher.update(bytes);
        *self = Fingerprint { bytes: self.bytes + bytes.len() as u64, crc: hasher.finalize() };
    }

    /// Adds the bytes `range` of `file`. `what` names the table.
    pub fn add_range(&mut self, file: &ImageFile, range: Range<u64>, what: &str) -> Result<(), Failure> {
        let (mut window, mut at) = (Window::new(WINDOW), range.start);
        while at < range.end {
            let bytes = window.read(file, at, range.end, what)?;
            self.add(bytes);
            at += bytes.len() as u64;
        }
        Ok(())
    }

    /// The fingerprint of the bytes `range` of `file`, the table `what`. Status 3 if they lie outside of it, 1 if they cannot
    /// be read.
    pub fn of(file: &ImageFile, range: Range<u64>, what: &str) -> Result<Self, Failure> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_range(file, range, what)?;
        Ok(fingerprint)
    }
}

/// Compares what was `read` again with what it `was`. `what` names it.
///
/// Status 1 when it is something else now, and also when it makes no sense any more.
pub fn compare<T: PartialEq>(
    file: &ImageFile,
    what: &str,
    was: &T,
    read: Result<T, Failure>,
) -> Result<(), Failure> {
    match read {
        Ok(now) if now == *was => Ok(()),
        Err(failure) if failure.status() == Status::System && !file.has_changed() => Err(failure),
        _ => Err(file.changed(&format!("{what} is no longer what it was"))),
    }
}

/// Fails with status 1 unless the name that `file` was opened by, if it has one, leads to it still.
pub fn check_name(file: &ImageFile) -> Result<(), Failure> {
    if !file.has_name() {
        return Ok(());
    }
    let now =
        fs::metadata(file.path()).map_err(|e| Failure::io(file.path(), "cannot look at it again", &e))?;
    if Identity::of(&now) == file.identity() {
        return Ok(());
    }
    Err(file.changed("its name leads to another file now"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_the_range_counts_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table");
        let mut bytes = vec![7; 3 * WINDOW];
        let range = 100..(2 * WINDOW + 5);
        let mut fingerprint_of = |changed: Option<usize>| {
            if let Some(at) = changed {
                bytes[at] ^= 1;
            }
            fs::write(&path, &bytes).unwrap();
            let file = ImageFile::open(&path).unwrap();
            Fingerprint::of(&file, range.start as u64..range.end as u64, "table").unwrap()
        };
        let before = fingerprint_of(None);
        assert_eq!(fingerprint_of(Some(range.start - 1)), before);
        assert_eq!(fingerprint_of(Some(range.end)), before);
        let first = fingerprint_of(Some(range.start));
        let last = fingerprint_of(Some(range.end - 1));
        assert!(before != first && first != last && before != last);
    }

    #[test]
    fn what_no_longer_makes_sense_has_changed_but_a_failed_read_says_nothing_about_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = ImageFile::open(file.path()).unwrap();
        assert_eq!(compare(&file, "x", &1, Ok(1)), Ok(()));
        let failed = Failure::system("cannot read");
        assert_eq!(compare(&file, "x", &1, Err(failed.clone())), Err(failed));
        for read in [Ok(2), Err(Failure::damaged("x")), Err(Failure::unsupported("x"))] {
            let failure = compare(&file, "x", &1, read).unwrap_err();
            assert_eq!(failure.status(), Status::System);
            assert!(failure.to_string().contains("x is no longer what it was"), "{failure}");
        }
    }

    #[test]
    fn a_name_must_lead_to_the_file_that_was_opened_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other, link] = ["file", "other", "link"].map(|name| folder.path().join(name));
        fs::write(&path, "x").unwrap();
        fs::write(&other, "x").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let [file, by_link] = [&path, &link].map(|path| ImageFile::open(path).unwrap());
        let nameless = ImageFile::new(fs::File::open(&path).unwrap(), "standard input".into()).unwrap();
        let checked = || {
            [&file, &by_link, &nameless]
                .map(|file| check_name(file).map_err(|failure| failure.status() as u8))
        };
        fs::write(&path, "longer").unwrap();
        assert_eq!(checked(), [Ok(()), Ok(()), Ok(())]);
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert_eq!(checked(), [Ok(()), Err(1), Ok(())]);
        fs::rename(&other, &path).unwrap();
        assert_eq!(checked(), [Err(1), Err(1), Ok(())]);
        fs::remove_file(&path).unwrap();
        assert_eq!(checked(), [Err(1), Err(1), Ok(())]);
    }
}
