//! A disk image or disk that a user or an image names: opened without hanging, and read so that the end of the file is
//! damage and never zeros.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::failure::{Failure, Status};
use crate::image::changed::{changed, changed_rather_than};
use crate::image::identity::{Identity, State};
use crate::image::overwrite;

/// A seekable file opened for reading: a regular file or a block device.
#[derive(Debug)]
pub struct ImageFile {
    file: File,
    path: PathBuf,
    size: u64,
    /// Which file it was, with its size and the times of its last change, when it was opened.
    state: State,
    block_device: bool,
    /// Whether `path` is a name that it was opened by.
    named: bool,
    /// What it belongs to began to be read at this time, in seconds and nanoseconds since 1970, before it was opened.
    begun: Option<(i64, i64)>,
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
        let file = file.map_err(|e| Failure::io(path, "cannot open", &e))?;
        Ok(ImageFile { named: true, ..ImageFile::new(file, path.to_path_buf())? })
    }

    /// An open file, called `path` in messages, which need not lead to it. It must be what [`ImageFile::open`] would open.
    pub fn new(file: File, path: PathBuf) -> Result<Self, Failure> {
        let metadata = file.metadata().map_err(|e| Failure::io(&path, "cannot stat", &e))?;
        check_kind(&path, &metadata)?;
        overwrite::reads(&metadata, &path)?;
        let block_device = metadata.file_type().is_block_device();
        let size = if block_device {
            device_size(&file).map_err(|e| Failure::io(&path, "cannot seek", &e))?
        } else {
            metadata.len()
        };
        let state = State::of(&metadata);
        Ok(ImageFile { file, path, size, state, block_device, named: false, begun: None })
    }

    /// The same file in its state of now, as if it had just been opened.
    pub(crate) fn anew(self) -> Result<Self, Failure> {
        let (named, begun) = (self.named, self.begun);
        Ok(ImageFile { named, begun, ..ImageFile::new(self.file, self.path)? })
    }

    /// A file that belongs to what began to be read at `begun`, in seconds and nanoseconds since 1970: it has changed if it did
    /// so since then.
    pub(crate) fn of_what_began(self, begun: (i64, i64)) -> Self {
        ImageFile { begun: Some(begun), ..self }
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

    /// In which state it was opened: of a block device, which one it is and its size.
    pub fn state(&self) -> State {
        self.state.lasting(self.size)
    }

    /// In which state it is now, likewise.
    pub fn state_now(&self) -> Result<State, Failure> {
        let metadata = self.file.metadata().map_err(|e| Failure::io(&self.path, "cannot stat", &e))?;
        let size = if self.block_device {
            device_size(&self.file).map_err(|e| Failure::io(&self.path, "cannot seek", &e))?
        } else {
            metadata.len()
        };
        Ok(State::of(&metadata).lasting(size))
    }

    /// Whether [`ImageFile::path`] is a name that it was opened by; otherwise it is what people call it.
    pub fn has_name(&self) -> bool {
        self.named
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
    /// Anything past the end of the file is damage (status 3), but if the file had it when it was opened, a change (status 1).
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64, what: &str) -> Result<(), Failure> {
        self.check_range(offset, buffer.len() as u64, what)?;
        self.file.read_exact_at(buffer, offset).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                self.changed(&format!("{what} at byte {offset}: the file became shorter"))
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
        changed(&self.path, what)
    }

    /// Whether the file was written to since it was opened, or before that and since what it belongs to began to be
    /// read, as far as its size and times say.
    pub fn has_changed(&self) -> bool {
        let late = !self.block_device && self.begun.is_some_and(|begun| self.state.changed > begun);
        late || !self.file.metadata().is_ok_and(|now| State::of(&now) == self.state)
    }

    /// What a `failure` is that this file may be to blame for: what looks like damage, or like something that is not
    /// supported, in a file that has changed is a change (status 1).
    pub fn judge(&self, failure: Failure) -> Failure {
        if !matches!(failure.status(), Status::Damaged | Status::Unsupported) || !self.has_changed() {
            return failure;
        }
        changed_rather_than(&failure, &self.path)
    }

    /// Status 4, with the name of this file.
    pub fn unsupported(&self, sentence: impl Into<String>) -> Failure {
        Failure::unsupported(sentence).in_file(&self.path)
    }
}

/// Bytes of a block device. Standard input is opened more than once, and must be found at its beginning again.
fn device_size(mut device: &File) -> io::Result<u64> {
    let size = device.seek(SeekFrom::End(0))?;
    device.rewind()?;
    Ok(size)
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
