//! Whether the blocks of a BAT can all be where it says: inside the file, clear of the metadata and of each other.
//!
//! No other reader looks for overlaps, and so takes one block's data for another's. A BAT in the order of the file, as
//! a copied or converted image has it, is checked while it streams by. Any other is collected and sorted, 4 bytes a
//! block, and dropped again before the next image of the chain is opened.

use std::ops::Range;

use extents::extent::length::in_memory;
use extents::failure::Failure;
use extents::image::file::ImageFile;

use crate::bat::{Allocation, Entries};
use crate::blocks::{Blocks, SECTOR, byte_of};
use crate::sector_bitmap;

/// Most blocks that are sorted: 16 MiB of positions; as blocks of 512 KiB all that a BAT can address, 2 TiB.
const MAX_SORTED: u64 = 4 << 20;

/// What is known of an image when its BAT is checked.
#[derive(Debug)]
pub(crate) struct BatCheck<'a> {
    /// The image.
    pub(crate) file: &'a ImageFile,
    /// File offset of the BAT in bytes.
    pub(crate) table_offset: u64,
    /// How the disk is cut.
    pub(crate) blocks: Blocks,
    /// Where no block may lie, in bytes of the file, and what lies there.
    pub(crate) metadata: &'a [(Range<u64>, &'static str)],
    /// File offset in bytes at which all data must end.
    pub(crate) data_end: u64,
}

impl BatCheck<'_> {
    /// Checks every entry that the disk needs.
    ///
    /// Status 3 for blocks outside the file, in the metadata or in each other; status 4 when more than 4 Mi blocks would
    /// have to be sorted to know.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let (mut count, mut free_from, mut ascending) = (0_u64, 0, true);
        let mut across_end = None;
        for present in self.present() {
            let (block, sector) = present?;
            let offset = byte_of(sector);
            let end = offset + self.blocks.stored_bytes(block);
            self.check_place(block, offset, end)?;
            if end > self.data_end {
                across_end = Some((block, offset));
            }
            ascending &= offset >= free_from;
            free_from = end;
            count += 1;
        }
        if !ascending {
            self.check_sorted(count)?;
        }
        // Two blocks across the end would overlap: there is one bitmap to read at most.
        across_end.map_or(Ok(()), |(block, offset)| self.check_used_part(block, offset))
    }

    /// The blocks in the file, and the sector at which each begins.
    fn present(&self) -> impl Iterator<Item = Result<(u64, u32), Failure>> {
        Entries::new(self.file, self.table_offset, self.blocks.count()).filter_map(|entry| match entry {
            Ok(Allocation::Present { block, sector }) => Some(Ok((block, sector))),
            Ok(Allocation::Absent { .. }) => None,
            Err(failure) => Some(Err(failure)),
        })
    }

    /// Checks the bytes `[start, end)` of the file that `block` takes.
    fn check_place(&self, block: u64, start: u64, end: u64) -> Result<(), Failure> {
        for (range, what) in self.metadata {
            if start < range.end && range.start < end {
                return Err(self.file.damaged(format!(
                    "block {block} overlaps {what}: found it at byte {start}, expected it outside of bytes {} to {}",
                    range.start,
                    range.end - 1
                )));
            }
        }
        if start + self.blocks.bitmap_bytes() > self.data_end {
            Err(self.outside(block, start))
        } else {
            Ok(())
        }
    }

    /// Checks that the sectors of `block` that hold anything lie inside the file: its unwritten end may be missing.
    fn check_used_part(&self, block: u64, offset: u64) -> Result<(), Failure> {
        let data = offset + self.blocks.bitmap_bytes();
        let sectors = in_memory(self.blocks.sectors(block));
        let mut bitmap = vec![0; sectors.div_ceil(8)];
        self.file.read_exact_at(&mut bitmap, offset, "sector bitmap")?;
        let end = data + sector_bitmap::used(&bitmap, sectors) as u64 * SECTOR;
        if end > self.data_end { Err(self.outside(block, offset)) } else { Ok(()) }
    }

    fn outside(&self, block: u64, offset: u64) -> Failure {
        self.file.damaged(format!(
            "block {block} lies outside the file: found {} bytes at byte {offset}, expected them to end by byte {}",
            self.blocks.stored_bytes(block),
            self.data_end
        ))
    }

    /// Sorts the positions of all `count` blocks and compares neighbours.
    fn check_sorted(&self, count: u64) -> Result<(), Failure> {
        if count > MAX_SORTED {
            return Err(self.file.unsupported(format!(
                "the BAT is too large to be checked for overlaps: found {count} blocks out of order, expected at \
                 most {MAX_SORTED}"
            )));
        }
        let mut sectors = Vec::with_capacity(in_memory(count));
        // The last block of the disk may be cut short; all others have the same length.
        let (full, last) = (self.blocks.stored_bytes(0), self.blocks.count().saturating_sub(1));
        let mut last_sector = None;
        for present in self.present() {
            let (block, sector) = present?;
            sectors.push(sector);
            if block == last {
                last_sector = Some(sector);
            }
        }
        sectors.sort_unstable();
        for pair in sectors.windows(2) {
            let length = if Some(pair[0]) == last_sector { self.blocks.stored_bytes(last) } else { full };
            if byte_of(pair[1]) < byte_of(pair[0]) + length {
                return Err(self.overlap(pair[0], pair[1])?);
            }
        }
        Ok(())
    }

    /// The sentence for the blocks at the sectors `lower` and `upper`, which may be one.
    fn overlap(&self, lower: u32, upper: u32) -> Result<Failure, Failure> {
        let mut found = Vec::new();
        for present in self.present() {
            let (block, sector) = present?;
            if found.len() < 2 && (sector == lower || sector == upper) {
                found.push(format!("block {block} at byte {}", byte_of(sector)));
            }
        }
        Ok(self.file.damaged(format!(
            "two blocks overlap: found {}, expected {} bytes for each",
            found.join(" and "),
            self.blocks.stored_bytes(0)
        )))
    }
}
