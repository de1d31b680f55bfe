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
    /// When its inode changed last, likewise: with its content, and with its names, owner and mode. No program can set it.
    pub changed: (i64, i64),
}

impl State {
    /// The state of the file that `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        State {
            identity: Identity::of(metadata),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The same, and of a block device of `size` bytes only what no write to it changes.
    #[must_use]
    pub(crate) fn lasting(self, size: u64) -> Self {
        match self.identity {
            Identity::Device(_) => State { size, modified: (0, 0), changed: (0, 0), ..self },
            Identity::File { .. } => self,
        }
    }

    /// What has become of a file that was in this state and is in another one `now`; none if it is in this one still.
    pub fn difference(&self, now: &State) -> Option<String> {
        if now == self {
            None
        } else if now.size != self.size {
            Some(format!("found {} bytes, expected {}", now.size, self.size))
        } else if now.identity != self.identity {
            Some("it was replaced by another file".to_owned())
        } else if now.modified != self.modified {
            Some("it was written to".to_owned())
        } else {
            Some("it was written to, renamed, linked or given another owner or mode".to_owned())
        }
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

    #[test]
    fn a_write_that_hides_behind_an_old_time_is_another_state() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = State::of(&file.as_file().metadata().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(file.path(), "").unwrap();
        let time = std::time::UNIX_EPOCH
            + std::time::Duration::new(
                before.modified.0.try_into().unwrap(),
                before.modified.1.try_into().unwrap(),
            );
        file.as_file().set_modified(time).unwrap();
        let now = State::of(&file.as_file().metadata().unwrap());
        assert_eq!((now.modified, now.size), (before.modified, before.size));
        assert!(before.difference(&now).is_some());
        assert_eq!(now.difference(&now), None);
    }
}
