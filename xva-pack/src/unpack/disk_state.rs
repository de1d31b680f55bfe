//! One disk of the archive while its blocks come, and what is said about it in the end.

use crate::unpack::placement::Placement;
use crate::xva::checksum::Algorithm;
use crate::xva::crc32::Crc32;

/// What was found of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskReport {
    /// Its directory in the archive.
    pub prefix: String,
    /// `name_label` in the metadata.
    pub name: String,
    /// Bytes: as the metadata says, without it as far as the blocks reach.
    pub size: u64,
    /// Blocks that hold bytes.
    pub blocks: u64,
    /// Blocks that a disk of this size has; 0 if their length is not known.
    pub blocks_of_disk: u64,
    /// Bytes in its blocks.
    pub bytes: u64,
    /// How its blocks are checked: by these, mixed if it is more than one.
    pub algorithms: Vec<Algorithm>,
    /// Blocks without a checksum.
    pub unchecked: u64,
    /// Bytes that are wanted of it: all, or what `--size` leaves of it.
    pub wanted_size: u64,
    /// CRC-32 of these; none if its bytes were not read.
    pub crc32: Option<u32>,
    /// Every block is there, and none is damaged.
    pub whole: bool,
}

/// A disk whose blocks are coming.
#[derive(Debug)]
pub(crate) struct DiskState {
    pub(crate) prefix: String,
    pub(crate) name: String,
    /// Bytes according to the metadata.
    pub(crate) expected: Option<u64>,
    /// Bytes that are wanted of it.
    pub(crate) cut: Option<u64>,
    /// Its bytes are read and checked.
    pub(crate) wanted: bool,
    pub(crate) placement: Placement,
    /// Guest bytes up to the end of the last block that came whole.
    pub(crate) had: u64,
    pub(crate) crc: Crc32,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) unchecked: u64,
    pub(crate) damaged: bool,
}

impl DiskState {
    pub(crate) fn new(
        prefix: &str,
        name: &str,
        expected: Option<u64>,
        cut: Option<u64>,
        wanted: bool,
    ) -> Self {
        DiskState {
            prefix: prefix.to_owned(),
            name: name.to_owned(),
            expected,
            cut,
            wanted,
            placement: Placement::default(),
            had: 0,
            crc: Crc32::new(),
            blocks: 0,
            bytes: 0,
            algorithms: Vec::new(),
            unchecked: 0,
            damaged: false,
        }
    }

    /// Bytes of the disk.
    pub(crate) fn size(&self) -> u64 {
        self.expected.unwrap_or(self.placement.end())
    }

    /// Bytes of the disk as it is written out.
    pub(crate) fn written_size(&self) -> u64 {
        self.cut.unwrap_or(self.size())
    }

    /// Every block up to the expected size is there.
    pub(crate) fn is_complete(&self) -> bool {
        self.expected.is_some_and(|size| self.placement.end() >= size)
    }

    /// Takes `data`, which belongs at guest byte `offset`, into the CRC.
    pub(crate) fn add(&mut self, offset: u64, data: &[u8]) {
        self.crc.zeros(offset.saturating_sub(self.crc.length()));
        self.crc.update(data);
    }

    /// What is said about it. `block_length` is that of the archive's first block.
    pub(crate) fn report(&mut self, block_length: u64) -> DiskReport {
        let size = self.size();
        self.crc.zeros(self.written_size().saturating_sub(self.crc.length()));
        let blocks_of_disk = if block_length == 0 { 0 } else { size.div_ceil(block_length) };
        DiskReport {
            prefix: self.prefix.clone(),
            name: self.name.clone(),
            size,
            blocks: self.blocks,
            blocks_of_disk,
            bytes: self.bytes,
            algorithms: self.algorithms.clone(),
            unchecked: self.unchecked,
            wanted_size: self.written_size(),
            crc32: self.wanted.then(|| self.crc.finish()),
            whole: !self.damaged,
        }
    }
}
