//! The archive on its way out: blocks in order, and what was written.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use extents::failure::Failure;
use serde::Serialize;

use crate::host::pipe;
use crate::ova::metadata::FILE_NAME;
use crate::pack::sealing::{ReadBlock, Sealing};
use crate::xva::checksum::Algorithm;
use crate::xva::tar_member::{RECORD, TRAILER, header, padding};

/// What was read and written. The report has these fields under their names.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
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
pub(crate) struct Writer<W> {
    out: W,
    counts: Counts,
    /// After so long without output a zero block is written too.
    keepalive: Option<Duration>,
    last_output: Instant,
}

impl<W: Write + AsFd> Writer<W> {
    /// Writes to `out`, which need not be buffered.
    pub(crate) fn new(out: W, keepalive: Option<Duration>) -> Self {
        Writer { out, counts: Counts::default(), keepalive, last_output: Instant::now() }
    }

    /// Writes `ova.xml`, which must be the first member.
    pub(crate) fn put_ova_xml(&mut self, xml: &[u8]) -> Result<(), Failure> {
        self.write(&header(FILE_NAME, xml.len() as u64)?)?;
        self.write(xml)?;
        self.write(&[0; RECORD][..padding(xml.len() as u64)])
    }

    /// Writes a sealed block. One that is left out is sealed and written all the same if it is time.
    pub(crate) fn put(&mut self, read: &mut ReadBlock, sealing: &Sealing) -> Result<(), Failure> {
        self.counts.bytes_read += read.bytes_read;
        if read.left_out {
            if self.keepalive.is_none_or(|silence| self.last_output.elapsed() < silence) {
                self.counts.zero_blocks_left_out += 1;
                return Ok(());
            }
            sealing.seal(read.block, &mut read.memory)?;
        }
        self.counts.blocks_written += 1;
        self.write(read.memory.sealed())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(|error| Failure::output(&error))?;
        self.counts.bytes_written += bytes.len() as u64;
        self.last_output = Instant::now();
        Ok(())
    }

    /// What was read and written so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Ends the archive, unless other disks follow. A reader that does not wait for the end-of-tar, as xapi's importer, may
    /// have left by then.
    pub(crate) fn finish(mut self, others_follow: bool, algorithm: Algorithm) -> Result<Counts, Failure> {
        if !others_follow {
            // The last member is a checksum, and nobody misses its padding.
            let spare = padding(algorithm.text_length() as u64) as u64;
            pipe::write_end(&mut self.out, &TRAILER, spare).map_err(|error| Failure::output(&error))?;
            self.counts.bytes_written += TRAILER.len() as u64;
        }
        self.out.flush().map_err(|error| Failure::output(&error))?;
        Ok(self.counts)
    }
}
