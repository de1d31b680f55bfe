//! The compressed bytes of a frame, gathered while its headers are read: one that is decompressed whole is needed as it is.

use std::io::{self, BufReader, Read};

use extents::extent::length::in_memory;
use extents::failure::Failure;

use crate::zstd::frame_header::FrameHeader;
use crate::zstd::frame_walk::{Bytes, block};
use crate::zstd::source::{Source, failure_of};

/// Keeps the bytes that a walk goes over.
pub(crate) struct Gather<'a> {
    pub(crate) input: &'a mut BufReader<Source>,
    pub(crate) position: &'a mut u64,
    pub(crate) frame: &'a mut Vec<u8>,
}

impl Gather<'_> {
    /// Adds as many bytes as there are, up to `length`; yields how many there were.
    fn add(&mut self, length: usize) -> Result<usize, Failure> {
        let begin = self.frame.len();
        self.frame.resize(begin + length, 0);
        let mut filled = begin;
        while filled < self.frame.len() {
            match self.input.read(&mut self.frame[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure_of(&error)),
            }
        }
        self.frame.truncate(filled);
        *self.position += (filled - begin) as u64;
        Ok(filled - begin)
    }
}

impl Bytes for Gather<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        let begin = self.frame.len();
        let count = self.add(into.len())?;
        into[..count].copy_from_slice(&self.frame[begin..]);
        Ok(count)
    }

    fn pass(&mut self, length: u64) -> Result<u64, Failure> {
        // At most a block and a checksum.
        self.add(in_memory(length)).map(|count| count as u64)
    }

    fn position(&self) -> u64 {
        *self.position
    }
}

/// Gathers the blocks of a frame; `false` as soon as the frame takes more than `most` bytes.
pub(crate) fn gather_blocks(
    gather: &mut Gather<'_>,
    begin: u64,
    header: &FrameHeader,
    most: u64,
) -> Result<bool, Failure> {
    while block(gather, begin, header)? {
        if gather.frame.len() as u64 > most {
            return Ok(false);
        }
    }
    Ok(true)
}
