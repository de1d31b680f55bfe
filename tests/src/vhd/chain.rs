//! A chain of images and what its guest reads: each image's writes over those of its parent.

use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, SECTOR, Vhd, to_usize};

/// Images, the base first and the one that the guest uses last.
#[derive(Clone, Debug)]
pub struct Chain(pub Vec<Vhd>);

impl Chain {
    /// The image that the guest uses.
    pub fn top(&self) -> &Vhd {
        self.0.last().expect("a chain has an image")
    }

    /// Writes all images to `directory`, and returns the path of the top one.
    pub fn write_to(&self, directory: &Path) -> io::Result<PathBuf> {
        for image in &self.0 {
            image.build().write_to(directory)?;
        }
        Ok(directory.join(&self.top().name))
    }

    /// The disk, byte by byte.
    pub fn truth(&self) -> Vec<u8> {
        let mut disk = Vec::new();
        for image in &self.0 {
            disk.resize(to_usize(image.size), 0);
            for (bytes, written) in disk.chunks_mut(to_usize(SECTOR)).zip(image.written()) {
                if let Some(filling) = written {
                    bytes.fill(filling);
                }
            }
        }
        disk
    }

    /// For each sector of the disk whether any image holds it, zeros or not: what sector bitmaps can tell at best.
    pub fn stored_sectors(&self) -> Vec<bool> {
        let mut stored: Vec<bool> = Vec::new();
        for image in &self.0 {
            stored.resize(to_usize(image.sectors()), false);
            let whole = !matches!(image.disk, Disk::Dynamic | Disk::Differencing);
            for (stored, written) in stored.iter_mut().zip(image.written()) {
                *stored |= whole || written.is_some();
            }
        }
        stored
    }

    /// For each unit of 2^`bits` bytes of the disk whether a block of any image touches it: what BATs alone can tell.
    pub fn touched_units(&self, bits: u32) -> Vec<bool> {
        let mut touched: Vec<bool> = Vec::new();
        let units = |bytes: u64| to_usize(bytes.div_ceil(1 << bits));
        for image in &self.0 {
            touched.resize(units(image.size), false);
            if image.blocks() == 0 {
                touched.fill(true);
            }
            for block in (0..image.blocks()).filter(|&block| image.is_present(block)) {
                let end = ((block + 1) << image.block_bits).min(image.size);
                touched[to_usize((block << image.block_bits) >> bits)..units(end)].fill(true);
            }
        }
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::super::Write;
    use super::*;

    #[test]
    fn a_larger_child_reads_zeros_beyond_its_parent() {
        let base = Vhd::fixed("base", 1000).with(Write::data(1, 1));
        let mut top = Vhd::child_of(&base, "top");
        top.size = 2048;
        let chain = Chain(vec![base, top]);
        let truth = chain.truth();
        assert!(truth[..512].iter().all(|&byte| byte == 0) && truth[512..1000].iter().all(|&byte| byte != 0));
        assert!(truth.len() == 2048 && truth[1000..].iter().all(|&byte| byte == 0));
        assert_eq!(chain.stored_sectors(), [true, true, false, false]);
    }
}
