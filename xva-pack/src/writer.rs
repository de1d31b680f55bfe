//! The archive on its way out: blocks in order, and what was written.

use std::io::Write;

use extents::failure::Failure;
use extents::stdout::write_failure;

use crate::tar_member::TRAILER;
use crate::workers::Block;

/// What was read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks in the archive.
    pub blocks_written: u64,
    /// Blocks that were read and left out because they are all zero.
    pub zero_blocks_left_out: u64,
    /// Bytes of the disk that were read.
    pub bytes_read: u64,
    /// Bytes of the archive.
    pub bytes_written: u64,
}

/// Writes an archive. The end-of-tar is written by [`Writer::finish`] alone, never on drop.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    /// Writes to `out`, which need not be buffered.
    pub fn new(out: W) -> Self {
        Writer { out, counts: Counts::default() }
    }

    /// Writes a sealed block, and counts one that is left out.
    pub fn put(&mut self, block: &Block) -> Result<(), Failure> {
        self.counts.bytes_read += block.job.disk_length as u64;
        if block.left_out {
            self.counts.zero_blocks_left_out += 1;
            return Ok(());
        }
        self.counts.blocks_written += 1;
        self.write(block.memory.sealed())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.counts.bytes_written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|error| write_failure(&error))
    }

    /// Ends the archive, unless other disks follow.
    pub fn finish(mut self, others_follow: bool) -> Result<Counts, Failure> {
        if !others_follow {
            self.write(&TRAILER)?;
        }
        self.out.flush().map_err(|error| write_failure(&error))?;
        Ok(self.counts)
    }
}
