//! The memory of one block: its member and its checksum member, laid out as they go into the archive, so that the
//! data is read into its place and both leave in one write.

use std::ops::Range;

use extents::failure::Failure;

use crate::xva::block::BLOCK_LEN;
use crate::xva::checksum::Algorithm;
use crate::xva::member_name::Prefix;
use crate::xva::tar_member::{RECORD, header, padding};

/// The data begins at a page, so that the kernel copies whole pages to and from aligned memory.
const PAGE: usize = 4096;

/// Before the data its header; after it its padding, the header of the checksum, and its text in one record.
const CAPACITY: usize = RECORD + (PAGE - 1) + BLOCK_LEN + 3 * RECORD;

/// A block in the making; reused for one block after the other.
#[derive(Debug)]
pub struct MemberPair {
    memory: Vec<u8>,
    /// Where the data begins: at a page, after at least a record.
    data: usize,
    /// Both members, once sealed.
    sealed: Range<usize>,
}

impl MemberPair {
    /// Allocates 1 MiB and a little; status 1 if the system does not give twice as much, for small things, whose want would
    /// end the program, need memory too.
    pub fn new() -> Result<Self, Failure> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(2 * CAPACITY).map_err(|_| Failure::no_memory("a block", 2 * CAPACITY))?;
        memory.resize(CAPACITY, 0);
        memory.shrink_to_fit();
        let data = RECORD + memory[RECORD..].as_ptr().align_offset(PAGE).min(PAGE - 1);
        Ok(MemberPair { memory, data, sealed: 0..0 })
    }

    /// The first `length` bytes of the block, at most 1 MiB.
    pub(crate) fn data_mut(&mut self, length: usize) -> &mut [u8] {
        &mut self.memory[self.data..self.data + length.min(BLOCK_LEN)]
    }

    /// The first `length` bytes of the block, at most 1 MiB.
    pub fn data(&self, length: usize) -> &[u8] {
        &self.memory[self.data..self.data + length.min(BLOCK_LEN)]
    }

    /// Puts the headers and the checksum around the first `length` bytes of data.
    pub(crate) fn seal(
        &mut self,
        prefix: &Prefix,
        number: u64,
        length: usize,
        algorithm: Algorithm,
    ) -> Result<(), Failure> {
        let length = length.min(BLOCK_LEN);
        let head = header(&prefix.block_name(number), length as u64)?;
        let text = algorithm.text(self.data(length));
        let checksum_head = header(&prefix.checksum_name(number, algorithm), text.len() as u64)?;

        let start = self.data - RECORD;
        self.memory[start..self.data].copy_from_slice(&head);
        let mut end = self.data + length;
        let tail: [&[u8]; 4] = [
            &[0; RECORD][..padding(length as u64)],
            &checksum_head,
            text.as_bytes(),
            &[0; RECORD][..padding(text.len() as u64)],
        ];
        for part in tail {
            self.memory[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        }
        self.sealed = start..end;
        Ok(())
    }

    /// Both members as they stand in the archive, after [`MemberPair::seal`].
    pub(crate) fn sealed(&self) -> &[u8] {
        &self.memory[self.sealed.clone()]
    }
}

/// Bytes that a block of `length` bytes takes in the archive, with its checksum member.
pub(crate) fn archived_length(length: u64) -> u64 {
    let records = 3 * RECORD as u64;
    records + length + padding(length) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_that_is_measured_is_that_of_the_sealed_members() {
        let prefix = Prefix::parse("Ref:0").unwrap();
        let mut pair = MemberPair::new().unwrap();
        for length in [1, 500, 512, 513, BLOCK_LEN] {
            for algorithm in Algorithm::all() {
                pair.seal(&prefix, 7, length, algorithm).unwrap();
                assert_eq!(pair.sealed().len() as u64, archived_length(length as u64), "{length}");
            }
        }
    }
}
