//! What was found in an archive: the answer of the walk over it.

use crate::xva::checksum::Algorithm;

/// What was found in an archive.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    /// Its disks in the order in which they came.
    pub disks: Vec<DiskReport>,
    /// Whether there was metadata that says how long each disk is.
    pub has_ova: bool,
    /// Bytes read.
    pub bytes: u64,
}

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
    /// Blocks whose checksums were compared although its bytes were not asked for.
    pub sampled: u64,
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
