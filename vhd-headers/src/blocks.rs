//! The arithmetic of blocks: which guest bytes a block holds, and how many bytes it takes in the file.
//!
//! In the file a block is its sector bitmap, padded to a sector, and then its data.

/// Bytes of a sector.
pub(crate) const SECTOR: u64 = 512;

/// The file offset in bytes of a sector of the file: below 2^41.
pub(crate) fn byte_of(sector: u32) -> u64 {
    u64::from(sector) * SECTOR
}

/// How a disk is cut into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// log2 of the bytes of a block, 9 to 30.
    pub(crate) bits: u32,
    /// Bytes of the disk, at most 2^62.
    pub(crate) virtual_size: u64,
}

impl Blocks {
    /// How many blocks the disk has; the last one may reach past its end.
    pub(crate) fn count(&self) -> u64 {
        self.virtual_size.div_ceil(1 << self.bits)
    }

    /// Guest offset in bytes at which `block` begins; the end of the disk for the block after the last.
    pub(crate) fn start(&self, block: u64) -> u64 {
        (block << self.bits).min(self.virtual_size)
    }

    /// Guest bytes from the beginning of block `first` to that of block `end`.
    pub(crate) fn bytes(&self, first: u64, end: u64) -> u64 {
        self.start(end) - self.start(first)
    }

    /// Sectors of `block` that the guest sees, the last one perhaps in part.
    pub(crate) fn sectors(&self, block: u64) -> u64 {
        self.bytes(block, block + 1).div_ceil(SECTOR)
    }

    /// Bytes from the bitmap of a block to its data: a bit a sector, in whole sectors.
    pub(crate) fn bitmap_bytes(&self) -> u64 {
        (1_u64 << self.bits).div_ceil(SECTOR * 8).next_multiple_of(SECTOR)
    }

    /// Bytes that `block` takes in the file: its bitmap, and its data as far as the guest sees it.
    pub(crate) fn stored_bytes(&self, block: u64) -> u64 {
        self.bitmap_bytes() + self.sectors(block) * SECTOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_take_whole_sectors() {
        let bitmap_bytes = |bits| Blocks { bits, virtual_size: 0 }.bitmap_bytes();
        assert_eq!([9, 19, 21, 22, 30].map(bitmap_bytes), [512, 512, 512, 1024, 262_144]);
    }

    #[test]
    fn the_last_block_ends_with_the_disk() {
        let blocks = Blocks { bits: 21, virtual_size: (5 << 20) + 1 };
        assert_eq!(blocks.count(), 3);
        assert_eq!(blocks.bytes(0, 3), blocks.virtual_size);
        assert_eq!((blocks.sectors(1), blocks.sectors(2)), (4096, 2049));
        assert_eq!(blocks.stored_bytes(2), 512 + 2049 * 512);
        assert_eq!(Blocks { bits: 21, virtual_size: 0 }.count(), 0);
    }
}
