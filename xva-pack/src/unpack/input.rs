//! The bytes of an archive from a file or a pipe, in one direction, with their position.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use extents::failure::Failure;
use rustix::event::{PollFd, PollFlags, poll};

use crate::unpack::finding::{Finding, Stop};

/// Read at once where bytes are thrown away.
const DISCARD: usize = 64 << 10;

/// An archive being read.
#[derive(Debug)]
pub struct Input {
    file: File,
    name: PathBuf,
    position: u64,
    /// Bytes from where reading began to the end, if the file is a regular one.
    size: Option<u64>,
}

impl Input {
    /// Opens what the user named; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let (mut file, name) = if path.as_os_str() == "-" {
            use std::os::fd::AsFd;
            let name = PathBuf::from("standard input");
            let fd = io::stdin().as_fd().try_clone_to_owned();
            (File::from(fd.map_err(|e| Failure::io(&name, "cannot open", &e))?), name)
        } else {
            let file = File::open(path).map_err(|e| Failure::io(path, "cannot open", &e))?;
            (file, path.to_path_buf())
        };
        let metadata = file.metadata().map_err(|e| Failure::io(&name, "cannot stat", &e))?;
        // A file may be passed as standard input when part of it was read already.
        // Measured, 1 GiB through `cat` into --verify: 0.40 s instead of 0.48.
        crate::host::pipe::enlarge(&file);
        let size = if metadata.is_file() {
            let begun = file.stream_position().map_err(|e| Failure::io(&name, "cannot seek", &e))?;
            Some(metadata.len().saturating_sub(begun))
        } else {
            None
        };
        Ok(Input { file, name, position: 0, size })
    }

    /// Whether `path` leads to the file or device that is read.
    pub fn is(&self, path: &Path) -> bool {
        // That of a device, and otherwise that of the file system with the inode.
        let place = |found: &Metadata| {
            let device = found.file_type().is_block_device().then_some(found.rdev());
            (device, device.map_or((found.dev(), found.ino()), |_| (0, 0)))
        };
        match (self.file.metadata(), std::fs::metadata(path)) {
            (Ok(this), Ok(other)) => place(&this) == place(&other),
            _ => false,
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Bytes read or skipped so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes in all, if that is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Fills `buffer` as far as the input goes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another process made the pipe or socket non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let waited = poll(&mut [PollFd::new(&self.file, PollFlags::IN)], None);
                    waited.map_err(|e| Failure::io(&self.name, "cannot read", &e.into()))?;
                }
                Err(error) => {
                    let what = format!("cannot read at byte {}", self.position + filled as u64);
                    return Err(Failure::io(&self.name, &what, &error));
                }
            }
        }
        self.position += filled as u64;
        Ok(filled)
    }

    /// Fills all of `buffer`; `what` names the structure.
    pub(crate) fn read_exact(&mut self, buffer: &mut [u8], what: &str) -> Result<(), Stop> {
        if self.read(buffer)? == buffer.len() {
            return Ok(());
        }
        Err(self.ended_in(what).into())
    }

    /// Leaves out `length` bytes, which are there.
    pub(crate) fn skip(&mut self, length: u64, what: &str) -> Result<(), Stop> {
        if let Some(size) = self.size {
            if length > size.saturating_sub(self.position) {
                self.position = size;
                return Err(self.ended_in(what).into());
            }
            if length >= DISCARD as u64 {
                let step = i64::try_from(length).unwrap_or(i64::MAX);
                self.file
                    .seek(SeekFrom::Current(step))
                    .map_err(|e| Failure::io(&self.name, "cannot seek", &e))?;
                self.position += length;
                return Ok(());
            }
        }
        let mut buffer = vec![0; DISCARD];
        let mut left = length;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(DISCARD).min(DISCARD);
            let part = buffer.get_mut(..now).unwrap_or_default();
            self.read_exact(part, what)?;
            left -= now as u64;
        }
        Ok(())
    }

    /// Reads to the end, which a writer at the other end of a pipe waits for, and says how many bytes there were and
    /// whether all of them are zero. A regular file is not read further than the first that is not.
    pub(crate) fn drain(&mut self) -> Result<(u64, bool), Failure> {
        let begun = self.position;
        let mut zero = true;
        let mut buffer = vec![0; DISCARD];
        loop {
            let count = self.read(&mut buffer)?;
            zero &= buffer.iter().take(count).all(|&byte| byte == 0);
            match self.size {
                Some(size) if !zero => return Ok((size.saturating_sub(begun), false)),
                _ if count == 0 => return Ok((self.position - begun, zero)),
                _ => {}
            }
        }
    }

    fn ended_in(&self, what: &str) -> Finding {
        Finding::damage_at(self.position, format!("ends early, in {what}"))
    }
}
