//! A layer sector by sector: the walk that reads the bitmap of every allocated block, unless the batmap spares it.

use extents::extent::length::in_memory;
use extents::extent::{Content, Extent};
use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::window::Window;

use crate::bat::{Allocation, Entries};
use crate::batmap::Batmap;
use crate::blocks::{Blocks, SECTOR, byte_of};
use crate::sector_bitmap;

/// Bytes of a bitmap read at a time. One of a block of up to 256 MiB is read at once.
const WINDOW: usize = 64 << 10;

/// The extents of a dynamic or differencing disk, exact to the sector.
#[derive(Debug)]
pub(crate) struct SectorExtents<'a> {
    file: &'a ImageFile,
    /// Number of the layer in its chain.
    layer: u16,
    blocks: Blocks,
    entries: Entries<'a>,
    batmap: Option<Batmap<'a>>,
    bitmap: Window,
    /// What a sector of an allocated block is that was never written.
    unwritten: Content,
    in_hand: Option<Partial>,
    /// Blocks that end at this guest offset or before it are of no use to anybody.
    needed_from: u64,
}

/// A block whose bitmap is being read.
#[derive(Clone, Copy, Debug)]
struct Partial {
    block: u64,
    /// File offset in bytes of its bitmap.
    offset: u64,
    /// Sectors of it that have been dealt with.
    done: u64,
}

impl<'a> SectorExtents<'a> {
    /// The walk over `entries`. A sector that was never written is `unwritten`.
    pub(crate) fn new(
        file: &'a ImageFile,
        layer: u16,
        blocks: Blocks,
        entries: Entries<'a>,
        batmap: Option<Batmap<'a>>,
        unwritten: Content,
    ) -> Self {
        SectorExtents {
            file,
            layer,
            blocks,
            entries,
            batmap,
            bitmap: Window::new(WINDOW),
            unwritten,
            in_hand: None,
            needed_from: 0,
        }
    }

    /// Spares the bitmaps of blocks that end at guest offset `offset` or before it: most blocks of a long chain are hidden by
    /// the images above.
    pub(crate) fn skip_to(&mut self, offset: u64) {
        self.needed_from = offset;
        self.in_hand = self.in_hand.filter(|hand| !self.is_hidden(hand.block));
    }

    fn is_hidden(&self, block: u64) -> bool {
        self.blocks.start(block) + self.blocks.bytes(block, block + 1) <= self.needed_from
    }

    fn advance(&mut self) -> Result<Option<Extent>, Failure> {
        loop {
            if let Some(extent) = self.next_of_block()? {
                return Ok(Some(extent));
            }
            match self.entries.next().transpose()? {
                None => return Ok(None),
                Some(Allocation::Absent { first, end }) => {
                    let (start, length) = (self.blocks.start(first), self.blocks.bytes(first, end));
                    return Ok(Some(Extent { start, length, layer: self.layer, content: Content::Absent }));
                }
                Some(Allocation::Present { block, .. }) if self.is_hidden(block) => {}
                Some(Allocation::Present { block, sector }) => {
                    let offset = byte_of(sector);
                    if self.is_full(block, offset)? {
                        let (start, length) = (self.blocks.start(block), self.blocks.bytes(block, block + 1));
                        let content = Content::at(offset + self.blocks.bitmap_bytes());
                        return Ok(Some(Extent { start, length, layer: self.layer, content }));
                    }
                    self.in_hand = Some(Partial { block, offset, done: 0 });
                }
            }
        }
    }

    /// Whether the batmap says that all of `block` is written, and all of it lies inside the file.
    fn is_full(&mut self, block: u64, offset: u64) -> Result<bool, Failure> {
        let Some(batmap) = &mut self.batmap else { return Ok(false) };
        Ok(offset + self.blocks.stored_bytes(block) <= self.file.size() && batmap.is_full(block)?)
    }

    /// The next run of sectors of the block in hand; `None` when it is done.
    fn next_of_block(&mut self) -> Result<Option<Extent>, Failure> {
        let Some(hand) = &mut self.in_hand else { return Ok(None) };
        let sectors = self.blocks.sectors(hand.block);
        // Whole bytes are read: the bits of `bytes` begin with the sector `aligned`.
        let aligned = hand.done / 8 * 8;
        let (from, end) = (hand.offset + aligned / 8, hand.offset + sectors.div_ceil(8));
        let bits = |sector: u64| in_memory(sector - aligned);
        let bytes = self.bitmap.read(self.file, from, end, "sector bitmap")?;
        let Some((length, set)) = sector_bitmap::run(bytes, bits(hand.done), bits(sectors)) else {
            self.in_hand = None;
            return Ok(None);
        };
        let block = self.blocks.start(hand.block);
        let begin = hand.done * SECTOR;
        hand.done += length as u64;
        let until = (hand.done * SECTOR).min(self.blocks.bytes(hand.block, hand.block + 1));
        let content =
            if set { Content::at(hand.offset + self.blocks.bitmap_bytes() + begin) } else { self.unwritten };
        Ok(Some(Extent { start: block + begin, length: until - begin, layer: self.layer, content }))
    }
}

impl Iterator for SectorExtents<'_> {
    type Item = Result<Extent, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
