//! What is read of a disk: its blocks in ascending order, and where their bytes are.

use extents::extent::stored::Stored;

use crate::pack::files::FileNumber;
use crate::xva::block::{BLOCK, part};

/// A block, as the disk and the archive have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Guest offset / 1 MiB.
    pub number: u64,
    /// Bytes of it that the disk has: 1 MiB but for the last block.
    pub disk_length: usize,
    /// Bytes that go into the archive; more than the disk has where it is padded.
    pub length: usize,
    /// Written even if it is all zero: the first and the last block.
    pub required: bool,
}

impl Block {
    /// Block `number` of a disk of `disk_size` bytes, of which the archive holds `archived_size`.
    pub(crate) fn of(number: u64, disk_size: u64, archived_size: u64) -> Self {
        let start = number * BLOCK;
        Block {
            number,
            disk_length: part(start, disk_size),
            length: part(start, archived_size),
            required: number == 0 || start + BLOCK >= disk_size,
        }
    }

    /// Block `number` of a disk that goes on after it, nobody knows how far.
    pub(crate) fn before_others(number: u64) -> Self {
        Block::of(number, u64::MAX, u64::MAX)
    }
}

/// A block that is to be read from files.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    /// Which block it is.
    pub block: Block,
    /// Where its bytes are: ascending and disjoint. What lies between them is zero.
    pub segments: Vec<Segment>,
}

/// A range of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where in the block it begins.
    pub at: usize,
    /// Length in bytes.
    pub length: usize,
    /// The file that holds it.
    pub file: FileNumber,
    /// Where in that file, and how.
    pub stored: Stored,
}

impl Job {
    /// How many bytes are read for it.
    pub(crate) fn bytes_to_read(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length as u64).sum()
    }
}
