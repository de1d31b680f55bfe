//! VHD images, written byte by byte from a description that also knows what a guest must read.
//!
//! Describe images as [`Vhd`]s, the base first, put them into a [`Chain`], and [write](Chain::write_to) them to a
//! directory. For damage, [build](Vhd::build) an image and change it through [`Built`], which keeps its checksums right.
//!
//! ```
//! use image_builders::vhd::{Chain, Vhd, Write};
//! let base = Vhd::dynamic("base.vhd", 8 << 20).with(Write::data(3, 5));
//! let top = Vhd::child_of(&base, "top.vhd").with(Write::zeros(4, 1));
//! let truth = Chain(vec![base, top]).truth();
//! assert!(truth[3 * 512] != 0 && truth[4 * 512] == 0);
//! ```

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "images of tests are small, and a test that describes an impossible one should end"
)]

mod built;
mod chain;
mod random;
mod seal;
mod structures;

pub use built::Built;
pub use chain::Chain;
pub use seal::{FOOTER_CHECKSUM, HEADER_CHECKSUM, seal};
pub use structures::{Locator, SECTOR};

/// How an image stores its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// No VHD: the bytes of the disk and nothing else.
    Raw,
    /// The bytes of the disk, then a footer.
    Fixed,
    /// Blocks.
    Dynamic,
    /// Blocks over a parent.
    Differencing,
}

/// Sectors that were written to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// First sector of the disk.
    pub sector: u64,
    /// Number of sectors; what lies past the end of the disk is not written.
    pub sectors: u64,
    /// Zeros instead of data without a zero byte.
    pub zeros: bool,
}

/// What became of a copy of the footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FooterCopy {
    /// As it should be.
    Sound,
    /// Not there: zeros at byte 0, nothing at the end.
    Missing,
    /// Its checksum is wrong.
    Damaged,
    /// Its last byte is not in the file: a footer of Virtual PC before 2004. Only at the end.
    Short,
}

/// One image: what a builder needs to write it.
///
/// The file is laid out as copy of the footer, header, BAT, batmap, locators, blocks, footer.
#[derive(Clone, Debug)]
pub struct Vhd {
    /// File name.
    pub name: String,
    /// How the disk is stored.
    pub disk: Disk,
    /// Bytes of the disk.
    pub size: u64,
    /// What was written, in this order.
    pub writes: Vec<Write>,
    /// Its name for its children.
    pub unique_id: [u8; 16],
    /// Creator application and its version; without them tapdisk's where there is a batmap.
    pub creator: Option<([u8; 4], u32)>,
    /// Cylinders, heads, sectors.
    pub geometry: (u16, u8, u8),
    /// log2 of the bytes of a block.
    pub block_bits: u32,
    /// Blocks that are in the file although nothing was written to them.
    pub empty_blocks: Vec<u64>,
    /// Blocks lie in the file in an order made from this number; 0 is that of the disk.
    pub shuffle: u64,
    /// Entries of the BAT beyond the last block; they hold garbage.
    pub spare_entries: u32,
    /// Unused sectors before the header, before the BAT, and before each block.
    pub gaps: [u64; 3],
    /// The BAT lies after the blocks.
    pub table_last: bool,
    /// There is a batmap, with a bit for each block that is written in full.
    pub batmap: bool,
    /// The sectors of a block that were not written hold garbage, not zeros.
    pub stale: bool,
    /// Unique id of the parent; null for a raw one.
    pub parent_id: [u8; 16],
    /// Name of the parent in the header.
    pub parent_name: String,
    /// Where else the parent's name is said, at most 8 entries.
    pub locators: Vec<Locator>,
    /// The copy of the footer at byte 0.
    pub head: FooterCopy,
    /// The footer at the end.
    pub tail: FooterCopy,
}

impl Write {
    /// Data from `sector` on.
    pub fn data(sector: u64, sectors: u64) -> Self {
        Write { sector, sectors, zeros: false }
    }

    /// Zeros, written as such.
    pub fn zeros(sector: u64, sectors: u64) -> Self {
        Write { sector, sectors, zeros: true }
    }
}

impl Vhd {
    fn new(name: &str, disk: Disk, size: u64) -> Self {
        let mut unique_id = [0x5a; 16];
        for (id, byte) in unique_id.iter_mut().zip(name.bytes()) {
            *id = byte;
        }
        Vhd {
            name: name.into(),
            disk,
            size,
            writes: Vec::new(),
            unique_id,
            creator: None,
            geometry: (65535, 16, 255),
            block_bits: 21,
            empty_blocks: Vec::new(),
            shuffle: 0,
            spare_entries: 0,
            gaps: [0; 3],
            table_last: false,
            batmap: false,
            stale: false,
            parent_id: [0; 16],
            parent_name: String::new(),
            locators: Vec::new(),
            head: FooterCopy::Sound,
            tail: FooterCopy::Sound,
        }
    }

    /// A raw image of `size` bytes.
    pub fn raw(name: &str, size: u64) -> Self {
        Vhd::new(name, Disk::Raw, size)
    }

    /// A fixed disk of `size` bytes.
    pub fn fixed(name: &str, size: u64) -> Self {
        Vhd::new(name, Disk::Fixed, size)
    }

    /// A dynamic disk of `size` bytes with blocks of 2 MiB.
    pub fn dynamic(name: &str, size: u64) -> Self {
        Vhd::new(name, Disk::Dynamic, size)
    }

    /// A differencing disk over `parent`, which it names as libvhd does: three locators, all relative.
    pub fn child_of(parent: &Vhd, name: &str) -> Self {
        let mut child = Vhd::new(name, Disk::Differencing, parent.size);
        child.block_bits = parent.block_bits;
        child.parent_id = if parent.disk == Disk::Raw { [0; 16] } else { parent.unique_id };
        child.parent_name.clone_from(&parent.name);
        child.locators = vec![
            Locator::mac(&format!("file://./{}", parent.name)),
            Locator::windows(*b"W2ku", &format!(".\\{}", parent.name)),
            Locator::windows(*b"W2ru", &format!(".\\{}", parent.name)),
        ];
        child
    }

    /// The same with one more write.
    #[must_use]
    pub fn with(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// How many blocks the disk has; 0 for a raw or fixed disk.
    pub fn blocks(&self) -> u64 {
        if self.has_blocks() { self.size.div_ceil(1 << self.block_bits) } else { 0 }
    }

    /// Sectors of the disk, the last one perhaps in part.
    pub fn sectors(&self) -> u64 {
        self.size.div_ceil(SECTOR)
    }

    fn has_blocks(&self) -> bool {
        matches!(self.disk, Disk::Dynamic | Disk::Differencing)
    }

    /// For each sector of the disk whether it was written to this image, and with what: `None`, or the filling byte.
    pub fn written(&self) -> Vec<Option<u8>> {
        let mut sectors = vec![None; to_usize(self.sectors())];
        for write in &self.writes {
            let from = to_usize(write.sector).min(sectors.len());
            let until = to_usize(write.sector + write.sectors).min(sectors.len());
            for (sector, state) in (write.sector..).zip(&mut sectors[from..until]) {
                *state = Some(if write.zeros { 0 } else { self.filling(sector) });
            }
        }
        sectors
    }

    /// What fills a written sector: never 0, and unlike its neighbours and the same sector of other images.
    fn filling(&self, sector: u64) -> u8 {
        let seed = self.name.bytes().fold(sector, |seed, byte| seed * 31 + u64::from(byte));
        u8::try_from(1 + seed % 255).unwrap_or(1)
    }

    /// Whether `block` is in the file.
    pub fn is_present(&self, block: u64) -> bool {
        let first = block << (self.block_bits - 9);
        let end = ((block + 1) << (self.block_bits - 9)).min(self.sectors());
        self.empty_blocks.contains(&block)
            || self.writes.iter().any(|write| write.sector < end && first < write.sector + write.sectors)
    }
}

/// Numbers of test images fit.
fn to_u32(number: impl TryInto<u32, Error: std::fmt::Debug>) -> u32 {
    number.try_into().expect("images of tests are small")
}

/// As bytes in memory.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).expect("images of tests fit into memory")
}
