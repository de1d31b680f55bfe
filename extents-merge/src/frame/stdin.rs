//! Standard input as a stream: a descriptor that another process made non-blocking is waited for.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use crate::failure::Failure;

use rustix::io::Errno;

/// Descriptor 0, unbuffered.
#[derive(Debug)]
pub struct Stdin(File);

impl Stdin {
    /// A handle of its own on descriptor 0.
    pub fn open() -> Result<Self, Failure> {
        let fd = io::stdin().as_fd().try_clone_to_owned();
        fd.map(|fd| Stdin(File::from(fd)))
            .map_err(|error| Failure::system(format!("standard input: cannot open: {error}")))
    }
}

impl Read for Stdin {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                done => return done,
            }
        }
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
