//! A disk image or disk that a user or an image names: opened without hanging, and read so that the end of the file is
//! damage and never zeros.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::failure::Failure;
use crate::image::identity::{Identity, State};
use crate::image::overwrite;

/// A seekable file opened for reading: a regular file or a block device.
#[derive(Debug)]
pub struct ImageFile {
    file: File,
    path: PathBuf,
    size: u64,
    /// Which file it was, with its size and the time of its last change, when it was opened.
    state: State,
    block_device: bool,
}

impl ImageFile {
    /// Opens the file or block device `path`.
    ///
    /// A pipe, socket or character device is wrong usage (status 2): it cannot be read at an offset. So is what the program
    /// [writes](overwrite) (status 2 or 1).
    pub fn open(path: &Path) -> Result<Self, Failure> {
        // Opening some devices has effects, and opening a pipe would wait for its writer: look first.
        let metadata = std::fs::metadata(path).map_err(|e| Failure::io(path, "cannot open", &e))?;
        check_kind(path, &metadata)?;
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path);
        ImageFile::new(file.map_err(|e| Failure::io(path, "cannot open", &e))?, path.to_path_buf())
    }

    /// An open file, called `path` in messages. It must be what [`ImageFile::open`] would open.
    pub fn new(mut file: File, path: PathBuf) -> Result<Self, Failure> {
        let metadata = file.metadata().map_err(|e| Failure::io(&path, "cannot stat", &e))?;
        check_kind(&path, &metadata)?;
        overwrite::reads(&metadata, &path)?;
        let block_device = metadata.file_type().is_block_device();
        let size = if block_device {
            // Standard input is opened more than once, and must be found at its beginning again.
            let size = file.seek(SeekFrom::End(0)).and_then(|size| file.rewind().map(|()| size));
            size.map_err(|e| Failure::io(&path, "cannot seek", &e))?
        } else {
            metadata.len()
        };
        Ok(ImageFile { file, path, size, state: State::of(&metadata), block_device })
    }

    /// The name it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in the file, or of the whole block device, when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that the file system keeps for the file, without its holes; none for a block device.
    pub fn stored_bytes(&self) -> Option<u64> {
        let metadata = self.file.metadata().ok().filter(|_| !self.block_device)?;
        Some(metadata.blocks().saturating_mul(512))
    }

    /// Which file it is, whatever its name.
    pub fn identity(&self) -> Identity {
        self.state.identity
    }

    /// Whether this is a block device.
    pub fn is_block_device(&self) -> bool {
        self.block_device
    }

    /// The open file, for hints and hole queries.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Fills `buffer` from file offset `offset`. `what` names the structure, for the sentence.
    ///
    /// Anything past the end of the file is damage (status 3).
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64, what: &str) -> Result<(), Failure> {
        self.check_range(offset, buffer.len() as u64, what)?;
        self.file.read_exact_at(buffer, offset).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                let what = format!("{what} at byte {offset}: the file became shorter while it was read");
                Failure::damaged(what).in_file(&self.path)
            } else {
                Failure::io(&self.path, &format!("cannot read {what} at byte {offset}"), &error)
            }
        })
    }

    /// Fails with status 3 unless `[offset, offset + length)` lies inside the file.
    pub fn check_range(&self, offset: u64, length: u64, what: &str) -> Result<(), Failure> {
        if self.contains(offset, length) {
            return Ok(());
        }
        Err(self.damaged(format!(
            "{what} lies outside the file: found {length} bytes at byte {offset}, expected them before byte {}",
            self.size
        )))
    }

    /// Whether `[offset, offset + length)` lies inside the file.
    pub fn contains(&self, offset: u64, length: u64) -> bool {
        offset.checked_add(length).is_some_and(|end| end <= self.size)
    }

    /// Status 3, with the name of this file; status 1 if the file has changed since it was opened, for then two states
    /// of a sound image may contradict each other.
    pub fn damaged(&self, sentence: impl Into<String>) -> Failure {
        if self.has_changed() {
            return self.changed(&sentence.into());
        }
        Failure::damaged(sentence).in_file(&self.path)
    }

    /// Status 1, with the name of this file: `what` shows that it is another one than when it was opened.
    pub fn changed(&self, what: &str) -> Failure {
        Failure::system(format!("changed while it was read: {what}; try again")).in_file(&self.path)
    }

    /// Whether the file was written to since it was opened, as far as its size and time say.
    pub fn has_changed(&self) -> bool {
        !self.file.metadata().is_ok_and(|now| State::of(&now) == self.state)
    }

    /// Status 4, with the name of this file.
    pub fn unsupported(&self, sentence: impl Into<String>) -> Failure {
        Failure::unsupported(sentence).in_file(&self.path)
    }
}

/// A directory is a system error as `read` would give it; what cannot seek is wrong usage.
pub(crate) fn check_kind(path: &Path, metadata: &Metadata) -> Result<(), Failure> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(Failure::system("is a directory: expected a file or block device").in_file(path));
    }
    let found = match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a character device",
    };
    Err(Failure::usage(format!("is not seekable: found {found}, expected a file or block device"))
        .in_file(path))
}
