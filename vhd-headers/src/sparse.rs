//! A dynamic or differencing disk: header and BAT opened and checked, and the walk over its blocks.

use extents::extent::{Content, Extent};
use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::second_look::{self, Fingerprint};

use crate::bat::{Allocation, ENTRY, Entries};
use crate::bat_check::BatCheck;
use crate::batmap::{self, Batmap};
use crate::blocks::{Blocks, SECTOR, byte_of};
use crate::dynamic_header::{self, DynamicHeader};
use crate::footer::{self, DiskType, Footer};
use crate::sector_extents::SectorExtents;

/// What is known of a disk with blocks, beside its file.
#[derive(Debug)]
pub(crate) struct Sparse {
    header: DynamicHeader,
    /// File offset of the header in bytes.
    header_offset: u64,
    blocks: Blocks,
    differencing: bool,
    little_endian_bitmaps: bool,
    /// Written by a tapdisk that keeps a batmap; with anyone else's, libvhd does not read it either.
    keeps_batmap: bool,
}

impl Sparse {
    /// Reads the header that `footer` leads to, and checks it and the BAT. All data of `file` must end at byte `data_end`.
    pub(crate) fn open(file: &ImageFile, footer: &Footer, data_end: u64) -> Result<Sparse, Failure> {
        let header = read_header(file, footer.data_offset)?;
        let sparse = Sparse {
            blocks: Blocks { bits: header.block_bits, virtual_size: footer.current_size },
            differencing: footer.disk_type == DiskType::Differencing,
            little_endian_bitmaps: footer.has_little_endian_bitmaps(),
            keeps_batmap: footer.is_by_tapdisk() && !footer.has_little_endian_bitmaps(),
            header_offset: footer.data_offset,
            header,
        };
        sparse.check_table(file, data_end)?;
        Ok(sparse)
    }

    /// Checks the place of the BAT, and all that it says.
    fn check_table(&self, file: &ImageFile, data_end: u64) -> Result<(), Failure> {
        let (needed, entries) = (self.blocks.count(), u64::from(self.header.max_table_entries));
        if entries < needed {
            return Err(file.damaged(format!(
                "the BAT is too small for a disk of {} bytes: found {entries} entries, expected at least {needed}",
                self.blocks.virtual_size
            )));
        }
        let table_offset = self.header.table_offset;
        file.check_range(table_offset, entries * ENTRY, "BAT")?;
        let table = table_offset..table_offset + entries * ENTRY;
        let copy = (0..footer::SIZE as u64, "the copy of the footer");
        let header = self.header_offset;
        let header = (header..header + dynamic_header::SIZE as u64, "the dynamic header");
        let footer = (data_end..file.size(), "the footer");
        for (range, what) in [&copy, &header, &footer] {
            if table.start < range.end && range.start < table.end {
                return Err(file.damaged(format!(
                    "the BAT overlaps {what}: found it at byte {table_offset}, expected it outside of bytes {} to {}",
                    range.start,
                    range.end - 1
                )));
            }
        }
        let metadata = &[copy, header, (table, "the BAT")];
        BatCheck { file, table_offset, blocks: self.blocks, metadata, data_end }.check()
    }

    /// log2 of the block size.
    pub(crate) fn block_bits(&self) -> u32 {
        self.blocks.bits
    }

    /// The header that names the parent; none when there is none.
    pub(crate) fn parent(&self) -> Option<&DynamicHeader> {
        self.differencing.then_some(&self.header)
    }

    /// File offset after the whole BAT with its padding: where the batmap is, if there is one.
    fn table_end(&self) -> u64 {
        let length = u64::from(self.header.max_table_entries) * ENTRY;
        self.header.table_offset + length.next_multiple_of(SECTOR)
    }

    /// Status 4 when the data of the blocks is encrypted.
    pub(crate) fn check_readable(&self, file: &ImageFile) -> Result<(), Failure> {
        if batmap::is_encrypted(file, self.table_end())? {
            return Err(
                file.unsupported("its data is encrypted: found a key hash in the batmap, expected none")
            );
        }
        Ok(())
    }

    /// Reads the header again: status 1 when it is no longer what it was.
    pub(crate) fn check_unchanged(&self, file: &ImageFile) -> Result<(), Failure> {
        second_look::compare(file, "the dynamic header", &self.header, read_header(file, self.header_offset))
    }

    /// The fingerprint of the entries of the BAT that the disk needs.
    pub(crate) fn table_fingerprint(&self, file: &ImageFile) -> Result<Fingerprint, Failure> {
        let start = self.header.table_offset;
        Fingerprint::of(file, start..start + self.blocks.count() * ENTRY, "BAT")
    }

    /// The walk over the blocks in `file`, as layer number `layer`.
    pub(crate) fn block_extents(
        &self,
        file: &ImageFile,
        layer: u16,
    ) -> impl Iterator<Item = Result<Extent, Failure>> {
        let blocks = self.blocks;
        let bitmap = blocks.bitmap_bytes();
        self.entries(file).map(move |entry| Ok(block_extent(blocks, bitmap, layer, entry?)))
    }

    /// The walk over the sectors of the blocks in `file`, as layer number `layer`.
    ///
    /// Status 4 when the bitmaps are those of an early tapdisk.
    pub(crate) fn sector_extents<'a>(
        &self,
        file: &'a ImageFile,
        layer: u16,
    ) -> Result<SectorExtents<'a>, Failure> {
        if self.little_endian_bitmaps {
            return Err(file.unsupported(
                "the sector bitmaps are those of tapdisk 0.1: found little-endian ones, expected big-endian",
            ));
        }
        let batmap = if self.keeps_batmap {
            Batmap::find(file, self.table_end(), u64::from(self.header.max_table_entries))?
        } else {
            None
        };
        let unwritten = if self.differencing { Content::Absent } else { Content::Zero };
        Ok(SectorExtents::new(file, layer, self.blocks, self.entries(file), batmap, unwritten))
    }

    fn entries<'a>(&self, file: &'a ImageFile) -> Entries<'a> {
        Entries::new(file, self.header.table_offset, self.blocks.count())
    }
}

/// The header at file offset `at`.
fn read_header(file: &ImageFile, at: u64) -> Result<DynamicHeader, Failure> {
    let mut bytes = [0; dynamic_header::SIZE];
    file.read_exact_at(&mut bytes, at, "dynamic header")?;
    DynamicHeader::parse(&bytes, at).map_err(|e| e.in_file(file.path()))
}

/// A block, or a run of absent ones, as a whole. `bitmap` is what lies in the file before the data, in bytes.
fn block_extent(blocks: Blocks, bitmap: u64, layer: u16, entry: Allocation) -> Extent {
    let (first, end, content) = match entry {
        Allocation::Absent { first, end } => (first, end, Content::Absent),
        Allocation::Present { block, sector } => (block, block + 1, Content::at(byte_of(sector) + bitmap)),
    };
    Extent { start: blocks.start(first), length: blocks.bytes(first, end), layer, content }
}
