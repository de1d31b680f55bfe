//! The block, the unit of an XVA: its size, and how large a disk of blocks can be.

use extents::extent::length::in_memory;

use crate::xva::member_name::MAX_NUMBER;

/// Bytes of a block. xapi, Xen Orchestra and xva-img write no other size.
pub const BLOCK: u64 = 1 << BLOCK_BITS;

/// log2 of [`BLOCK`].
pub(crate) const BLOCK_BITS: u32 = 20;

/// [`BLOCK`] as the length of a slice.
pub const BLOCK_LEN: usize = 1 << BLOCK_BITS;

/// Bytes of the largest disk: 95.37 TiB.
pub(crate) const MAX_SIZE: u64 = (MAX_NUMBER + 1) * BLOCK;

/// Bytes of the block that begins at `start` before the end of the disk.
pub(crate) fn part(start: u64, end: u64) -> usize {
    in_memory(end.saturating_sub(start).min(BLOCK))
}
