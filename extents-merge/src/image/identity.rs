//! Which file this is, whatever it is called, and in which state it is.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// A file or block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A file in a file system.
    File {
        /// Number of the file system.
        device: u64,
        /// Number of the file in it.
        inode: u64,
    },
    /// A block device, by its own number: it may have any number of names.
    Device(u64),
}

impl Identity {
    /// The identity of the file that `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        if metadata.file_type().is_block_device() {
            Identity::Device(metadata.rdev())
        } else {
            Identity::File { device: metadata.dev(), inode: metadata.ino() }
        }
    }
}

/// What changes when a file is written to, or another one takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Which file it is.
    pub identity: Identity,
    /// Bytes; 0 for a block device, whose size is not in its metadata.
    pub size: u64,
    /// When its content changed last, in seconds and nanoseconds since 1970. That of a block device changes with every
    /// write to it.
    pub modified: (i64, i64),
}

impl State {
    /// The state of the file that `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        State { identity: Identity::of(metadata), size: metadata.len(), modified }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_the_same_by_each_of_its_names_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, copy) =
            (folder.path().join("file"), folder.path().join("link"), folder.path().join("copy"));
        fs::write(&file, "x").unwrap();
        fs::hard_link(&file, &link).unwrap();
        fs::copy(&file, &copy).unwrap();
        let identity = |path| Identity::of(&fs::metadata(path).unwrap());
        assert_eq!(identity(&file), identity(&link));
        assert_ne!(identity(&file), identity(&copy));
        let before = State::of(&fs::metadata(&file).unwrap());
        fs::write(&link, "longer").unwrap();
        assert_ne!(State::of(&fs::metadata(&file).unwrap()), before);
    }
}
