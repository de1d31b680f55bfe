//! The bytes of a compressed archive, from a file by position or from a pipe.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use extents::failure::Failure;
use extents::frame::streams::Waiting;

/// Where the bytes come from.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it is called in messages.
    name: PathBuf,
    from: From,
}

#[derive(Debug)]
enum From {
    /// A regular file and the byte that comes next; its own position is left alone.
    File(File, u64),
    /// Anything else, and what was read of it already.
    Pipe(io::Chain<io::Cursor<Vec<u8>>, Waiting<File>>),
}

impl Source {
    /// A regular file, from byte `offset` on.
    pub(crate) fn file(name: PathBuf, file: File, offset: u64) -> Self {
        Source { name, from: From::File(file, offset) }
    }

    /// What cannot seek, of which `ahead` was read.
    pub(crate) fn pipe(name: PathBuf, ahead: Vec<u8>, file: Waiting<File>) -> Self {
        Source { name, from: From::Pipe(io::Cursor::new(ahead).chain(file)) }
    }
}

impl Read for Source {
    /// An error holds the [`Failure`] to end with.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.from {
            From::Pipe(pipe) => pipe.read(into),
            From::File(file, offset) => file.read_at(into, *offset).inspect(|count| *offset += *count as u64),
        };
        read.map_err(|error| match error.kind() {
            // Those who read go on.
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other(Failure::io(&self.name, "cannot read", &error)),
        })
    }
}

/// The failure that a [`Source`] put into an error; none if the error is of what reads from it.
pub(crate) fn failure_in(error: &io::Error) -> Option<Failure> {
    error.get_ref()?.downcast_ref::<Failure>().cloned()
}

/// The same for what only passes on what it reads.
pub(crate) fn failure_of(error: &io::Error) -> Failure {
    failure_in(error).unwrap_or_else(|| Failure::system(format!("cannot read: {error}")))
}
