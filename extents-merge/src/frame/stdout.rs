//! Standard output as a stream of data: no line buffering, no panic, and a non-blocking descriptor is waited for.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use crate::failure::Failure;

/// Descriptor 1, unbuffered. Put a `BufWriter` around it for small writes, and flush that one by hand:
/// dropping it would swallow the last error.
#[derive(Debug)]
pub struct Stdout(File);

impl Stdout {
    /// A handle of its own on descriptor 1.
    pub fn open() -> Result<Self, Failure> {
        match io::stdout().as_fd().try_clone_to_owned() {
            Ok(fd) => Ok(Stdout(File::from(fd))),
            Err(error) => Err(write_failure(&error)),
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                // Another process made the pipe or socket non-blocking: a slow reader, not an error.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None)?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a failed write to standard output ends with.
pub fn write_failure(error: &io::Error) -> Failure {
    Failure::system(format!("standard output: cannot write: {error}"))
}
