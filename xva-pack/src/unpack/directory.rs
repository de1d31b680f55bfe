//! The directory into which all disks are unpacked, and the names of their files in it.

use std::fmt::Write;
use std::fs::{metadata, read_dir, symlink_metadata};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use extents::failure::Failure;

use crate::host::destination::folder_of;

/// Longest name of a file.
const MAX_FILE_NAME: usize = 255;

/// Refuses (status 1) what is no directory and cannot become one. Yields whether there are block devices in it.
pub(crate) fn check_directory(directory: &Path) -> Result<bool, Failure> {
    let Ok(files) = read_dir(directory) else {
        let is_new = symlink_metadata(directory).is_err() && folder_of(directory).is_dir();
        let what = "is not a directory, and cannot become one: expected a directory, or a new name in one";
        return if is_new { Ok(false) } else { Err(Failure::system(what).in_file(directory)) };
    };
    let is_device = |path: PathBuf| metadata(path).is_ok_and(|found| found.file_type().is_block_device());
    Ok(files.flatten().any(|file| is_device(file.path())))
}

/// The file of a disk in `directory`: its prefix, with every byte but letters, digits and `.:_-` written as `%XX`, so
/// that no two disks share a file and no name leads out of the directory.
pub(crate) fn file_of(directory: &Path, disk: &str) -> Result<PathBuf, Failure> {
    let mut name = String::new();
    for byte in disk.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-');
        if is_plain || byte == b'.' && !name.is_empty() {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    if name.is_empty() {
        name.push('%');
    }
    name.push_str(".raw");
    if name.len() > MAX_FILE_NAME {
        return Err(Failure::unsupported(format!(
            "the name of disk {disk} is too long for a file: unpack it with --disk"
        )));
    }
    Ok(directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_directory_and_none_is_another() {
        for (disk, file) in [
            ("Ref:000", "Ref:000.raw"),
            ("a.b", "a.b.raw"),
            ("..", "%2E..raw"),
            (".hidden", "%2Ehidden.raw"),
            ("../../etc", "%2E.%2F..%2Fetc.raw"),
            ("/etc", "%2Fetc.raw"),
            ("%2F", "%252F.raw"),
            ("", "%.raw"),
            ("-rf", "-rf.raw"),
            ("a\n\0ü", "a%0A%00%C3%BC.raw"),
        ] {
            assert_eq!(file_of(Path::new("d"), disk).unwrap(), Path::new("d").join(file), "{disk}");
        }
        assert!(file_of(Path::new("d"), &"x".repeat(MAX_FILE_NAME - 4)).is_ok());
        assert!(file_of(Path::new("d"), &"x".repeat(MAX_FILE_NAME - 3)).is_err());
    }
}
