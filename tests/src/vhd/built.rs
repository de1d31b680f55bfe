//! An image as the bytes of its file, and the places in it that a test may want to damage.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::seal::{BATMAP_CHECKSUM, FOOTER_CHECKSUM, HEADER_CHECKSUM, checksum, seal};
use super::structures::{SECTOR, batmap_header, footer, header, put};
use super::{Disk, FooterCopy, Vhd, to_u32, to_usize};

/// What lies in sectors that were not written, when they are stale.
const GARBAGE: u8 = 0xee;

/// The bytes of an image file.
#[derive(Clone, Debug)]
pub struct Built {
    /// File name.
    pub name: String,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// File offset of the dynamic header.
    pub header: usize,
    /// File offset of the BAT.
    pub table: usize,
    /// File offset of the batmap header, when there is one.
    pub batmap: Option<usize>,
    /// File offset of the bitmap of each block that is in the file.
    pub blocks: BTreeMap<u64, usize>,
    /// File offset of the footer at the end, or of the end without one.
    pub tail: usize,
}

impl Vhd {
    /// The file of this image.
    pub fn build(&self) -> Built {
        let mut built = Built {
            name: self.name.clone(),
            bytes: Vec::new(),
            header: 0,
            table: 0,
            batmap: None,
            blocks: BTreeMap::new(),
            tail: 0,
        };
        if self.has_blocks() {
            self.build_blocks(&mut built);
        } else {
            for (filling, left) in self.written().into_iter().zip((0..self.size).rev().step_by(512)) {
                built.grow(512.min(to_usize(left) + 1), filling.unwrap_or(0));
            }
        }
        built.tail = built.bytes.len();
        if self.disk != Disk::Raw {
            let place = if self.has_blocks() { built.header as u64 } else { u64::MAX };
            let footer = footer(self, place);
            if self.has_blocks() {
                put(&mut built.bytes, 0, &copy(&footer, self.head).unwrap_or_default());
            }
            built.bytes.extend(copy(&footer, self.tail).unwrap_or_default());
        }
        built
    }

    fn build_blocks(&self, built: &mut Built) {
        let blocks = to_usize(self.blocks());
        let entries = blocks + self.spare_entries as usize;
        let table_bytes = (entries * 4).next_multiple_of(512);
        built.grow(512 + to_usize(self.gaps[0] * SECTOR), 0);
        built.header = built.bytes.len();
        built.grow(1024, 0);
        if !self.table_last {
            built.place_table(self.gaps[1], table_bytes);
            self.build_batmap(built);
        }
        let mut names = Vec::new();
        for locator in &self.locators {
            names.push(built.bytes.len() as u64);
            let length = locator.name.len().next_multiple_of(512);
            built.bytes.extend(&locator.name);
            built.grow(length - locator.name.len(), 0);
        }
        let written = self.written();
        for block in self.order() {
            built.grow(to_usize(self.gaps[2] * SECTOR), GARBAGE);
            built.blocks.insert(block, built.bytes.len());
            self.build_block(built, block, &written);
        }
        if self.table_last {
            built.place_table(self.gaps[1], table_bytes);
            self.build_batmap(built);
        }
        for (block, offset) in built.blocks.clone() {
            built.set_entry(block, to_u32(offset / 512));
        }
        for spare in 0..u64::from(self.spare_entries) {
            built.set_entry(self.blocks() + spare, to_u32(spare % 3));
        }
        let entries = to_u32(entries);
        let header = header(self, built.table as u64, entries, &names);
        put(&mut built.bytes, built.header, &header);
    }

    /// The blocks that are in the file, in their order there.
    fn order(&self) -> Vec<u64> {
        let mut order: Vec<u64> = (0..self.blocks()).filter(|&block| self.is_present(block)).collect();
        if self.shuffle != 0 {
            order.sort_by_key(|&block| {
                (block + 1).wrapping_mul(self.shuffle).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            });
        }
        order
    }

    fn build_block(&self, built: &mut Built, block: u64, written: &[Option<u8>]) {
        let sectors = to_usize(1 << (self.block_bits - 9));
        let first = to_usize(block) * sectors;
        let mut bitmap = vec![0_u8; sectors.div_ceil(8).next_multiple_of(512)];
        for sector in 0..sectors {
            if matches!(written.get(first + sector), Some(Some(_))) {
                bitmap[sector / 8] |= 0x80 >> (sector % 8);
            }
        }
        built.bytes.extend(bitmap);
        let unwritten = if self.stale { GARBAGE } else { 0 };
        for sector in 0..sectors {
            built.grow(512, written.get(first + sector).copied().flatten().unwrap_or(unwritten));
        }
    }

    fn build_batmap(&self, built: &mut Built) {
        if !self.batmap {
            return;
        }
        let written = self.written();
        let sectors = to_usize(1 << (self.block_bits - 9));
        let mut bits = vec![0_u8; to_usize(self.blocks()).div_ceil(8).next_multiple_of(512)];
        for (block, sectors) in written.chunks(sectors).enumerate() {
            if sectors.iter().all(Option::is_some) {
                bits[block / 8] |= 0x80 >> (block % 8);
            }
        }
        let at = built.bytes.len();
        built.batmap = Some(at);
        built.bytes.extend(batmap_header(at as u64 + SECTOR, &bits));
        built.bytes.extend(bits);
    }
}

/// What is left of a footer.
fn copy(footer: &[u8], state: FooterCopy) -> Option<Vec<u8>> {
    let mut footer = footer.to_vec();
    match state {
        FooterCopy::Sound => {}
        FooterCopy::Missing => return None,
        FooterCopy::Damaged => footer[FOOTER_CHECKSUM] ^= 1,
        FooterCopy::Short => footer.truncate(511),
    }
    Some(footer)
}

impl Built {
    fn grow(&mut self, bytes: usize, filling: u8) {
        self.bytes.resize(self.bytes.len() + bytes, filling);
    }

    fn place_table(&mut self, gap: u64, bytes: usize) {
        self.grow(to_usize(gap * SECTOR), 0);
        self.table = self.bytes.len();
        self.grow(bytes, 0xff);
    }

    /// Writes the file to `directory`, and returns its path.
    pub fn write_to(&self, directory: &Path) -> io::Result<PathBuf> {
        let path = directory.join(&self.name);
        std::fs::write(&path, &self.bytes)?;
        Ok(path)
    }

    /// Makes the BAT say that `block` lies at `sector` of the file.
    pub fn set_entry(&mut self, block: u64, sector: u32) {
        let at = self.table + to_usize(block) * 4;
        put(&mut self.bytes, at, &sector.to_be_bytes());
    }

    /// Changes the bytes of the dynamic header from `at` on, and its checksum with them.
    pub fn patch_header(&mut self, at: usize, value: &[u8]) {
        let header = self.header;
        put(&mut self.bytes, header + at, value);
        seal(&mut self.bytes[header..header + 1024], HEADER_CHECKSUM);
    }

    /// Changes the bytes of the footer at the end from `at` on, and its checksum with them.
    pub fn patch_tail(&mut self, at: usize, value: &[u8]) {
        let tail = self.tail;
        put(&mut self.bytes, tail + at, value);
        seal(&mut self.bytes[tail..tail + 512], FOOTER_CHECKSUM);
    }

    /// Changes the bytes of the copy of the footer at byte 0 from `at` on, and its checksum with them.
    pub fn patch_head(&mut self, at: usize, value: &[u8]) {
        put(&mut self.bytes, at, value);
        seal(&mut self.bytes[..512], FOOTER_CHECKSUM);
    }

    /// Changes both footers.
    pub fn patch_footers(&mut self, at: usize, value: &[u8]) {
        self.patch_head(at, value);
        self.patch_tail(at, value);
    }

    /// Gives the batmap, which must be there, the checksum of the first `length` bytes of its bits.
    pub fn seal_batmap(&mut self, length: usize) {
        let header = self.batmap.expect("the image has a batmap");
        let sum = checksum(&self.bytes[header + 512..header + 512 + length]);
        put(&mut self.bytes, header + BATMAP_CHECKSUM, &sum.to_be_bytes());
    }
}
