//! One disk of the archive while its blocks come.

use extents::extent::unit_set::UnitSet;
use extents::failure::Failure;

use crate::unpack::report::DiskReport;
use crate::xva::checksum::Algorithm;
use crate::xva::crc32::Crc32;
use crate::xva::member_name::MAX_NUMBER;
use crate::xva::placement::Placement;

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
    /// Numbers of the blocks that came, as far as the importer knows them: at most 12.5 MiB.
    numbers: UnitSet,
    /// Guest bytes up to the end of the last block that came whole.
    pub(crate) received: u64,
    pub(crate) crc: Crc32,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// Blocks that were read although the disk is passed over.
    pub(crate) sampled: u64,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Blocks that no checksum followed.
    pub(crate) unchecked: u64,
    /// Numbers of those blocks, and of those among them whose checksum came later: at most 12.5 MiB each, and nothing in an
    /// archive as xapi writes it.
    without: UnitSet,
    late: UnitSet,
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
            numbers: UnitSet::new(),
            received: 0,
            crc: Crc32::new(),
            blocks: 0,
            bytes: 0,
            sampled: 0,
            algorithms: Vec::new(),
            unchecked: 0,
            without: UnitSet::new(),
            late: UnitSet::new(),
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

    /// Whether every block up to the expected size is there.
    pub(crate) fn is_complete(&self) -> bool {
        self.expected.is_some_and(|size| self.placement.end() >= size)
    }

    /// Takes note that the block with this number came; fails where the system has no memory for that.
    pub(crate) fn came(&mut self, digits: &str) -> Result<(), Failure> {
        number(digits).map_or(Ok(()), |number| self.numbers.insert(number, number))
    }

    /// Whether the block with this number came.
    pub(crate) fn has(&self, digits: &str) -> bool {
        number(digits).is_some_and(|number| self.numbers.contains(number))
    }

    /// Takes note that no checksum followed the block with this number; fails where the system has no memory for that.
    pub(crate) fn came_without_checksum(&mut self, digits: &str) -> Result<(), Failure> {
        self.unchecked += 1;
        number(digits).map_or(Ok(()), |number| self.without.insert(number, number))
    }

    /// Takes note that a checksum of the block with this number came where it does not belong. A block that had one already, or
    /// that no importer knows, stands for no other.
    pub(crate) fn late_checksum(&mut self, digits: &str) -> Result<(), Failure> {
        let number = number(digits).filter(|number| self.without.contains(*number));
        number.map_or(Ok(()), |number| self.late.insert(number, number))
    }

    /// Blocks whose checksum did not come at all.
    pub(crate) fn without_checksum(&self) -> u64 {
        self.unchecked.saturating_sub(self.late.len())
    }

    /// Takes `data`, which belongs at guest byte `offset`, into the CRC.
    pub(crate) fn add(&mut self, offset: u64, data: &[u8]) {
        self.crc.zeros(offset.saturating_sub(self.crc.length()));
        self.crc.update(data);
    }

    /// What the report says about it. `block_length` is that of the archive's first block, if there was one.
    pub(crate) fn report(&mut self, block_length: Option<u64>) -> DiskReport {
        let size = self.size();
        self.crc.zeros(self.written_size().saturating_sub(self.crc.length()));
        let block_length = block_length.filter(|length| *length > 0);
        let blocks_of_disk = block_length.map_or(0, |length| size.div_ceil(length));
        DiskReport {
            prefix: self.prefix.clone(),
            name: self.name.clone(),
            size,
            blocks: self.blocks,
            blocks_of_disk,
            bytes: self.bytes,
            sampled: self.sampled,
            algorithms: self.algorithms.clone(),
            unchecked: self.unchecked,
            wanted_size: self.written_size(),
            crc32: self.wanted.then(|| self.crc.finish()),
            whole: !self.damaged,
        }
    }
}

/// A block number that the importer knows.
fn number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|number| *number <= MAX_NUMBER)
}
