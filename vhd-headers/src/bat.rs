//! The block allocation table: for each block the sector of the file that its bitmap begins at.
//!
//! It is read in windows, never whole: a chain may have thirty of them, of 4 MiB each for a disk of 2 TiB.

use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::window::Window;

/// The entry of a block that is not in this file.
const UNUSED: u32 = u32::MAX;
/// Bytes of an entry.
pub(crate) const ENTRY: u64 = 4;
/// Bytes read at a time. Anything from 4 to 64 KiB makes a difference of 1 ms to the 20 ms of 2^20 blocks.
const WINDOW: usize = 16 << 10;

/// Blocks in the order of the BAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// The blocks `first..end` are not in this file.
    Absent {
        /// First block.
        first: u64,
        /// The block after the last.
        end: u64,
    },
    /// The block is in this file.
    Present {
        /// Number of the block.
        block: u64,
        /// The sector of the file at which its bitmap begins, which its data follows.
        sector: u32,
    },
}

/// Walks over the entries that the disk needs; what a BAT has beyond them means nothing.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    file: &'a ImageFile,
    table_offset: u64,
    window: Window,
    next: u64,
    blocks: u64,
}

impl<'a> Entries<'a> {
    /// The first `blocks` entries of the table at byte `table_offset` of `file`, where at least so many lie.
    pub(crate) fn new(file: &'a ImageFile, table_offset: u64, blocks: u64) -> Self {
        Entries { file, table_offset, window: Window::new(WINDOW), next: 0, blocks }
    }

    /// The entry of the next block.
    fn peek(&mut self) -> Result<u32, Failure> {
        let start = self.table_offset + self.next * ENTRY;
        let end = self.table_offset + self.blocks * ENTRY;
        let bytes = self.window.read(self.file, start, end, "BAT")?;
        match bytes.first_chunk() {
            Some(entry) => Ok(u32::from_be_bytes(*entry)),
            None => Err(self.file.damaged(format!("the BAT ends in an entry: found {} bytes", bytes.len()))),
        }
    }

    fn advance(&mut self) -> Result<Option<Allocation>, Failure> {
        let first = self.next;
        while self.next < self.blocks {
            match self.peek()? {
                UNUSED => self.next += 1,
                _ if first < self.next => break,
                sector => {
                    self.next += 1;
                    return Ok(Some(Allocation::Present { block: first, sector }));
                }
            }
        }
        Ok((first < self.next).then_some(Allocation::Absent { first, end: self.next }))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Allocation, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_blocks_are_the_entries_one_by_one_across_windows() {
        // Runs of absent blocks of all lengths up to 99, in a table of three windows that does not begin with the file.
        let entries: Vec<u32> =
            (0..99_u32).flat_map(|n| std::iter::repeat_n(UNUSED, n as usize).chain([n])).collect();
        let entries = entries.repeat(2);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table");
        let bytes = [0; 512].into_iter().chain(entries.iter().flat_map(|entry| entry.to_be_bytes()));
        std::fs::write(&path, bytes.collect::<Vec<u8>>()).unwrap();
        let file = ImageFile::open(&path).unwrap();
        let mut found = Vec::new();
        for entry in Entries::new(&file, 512, entries.len() as u64) {
            match entry.unwrap() {
                Allocation::Absent { first, end } => {
                    assert!(first == found.len() as u64 && found.last() != Some(&UNUSED), "runs are maximal");
                    found.resize(usize::try_from(end).unwrap(), UNUSED);
                }
                Allocation::Present { block, sector } => {
                    assert_eq!(block, found.len() as u64);
                    found.push(sector);
                }
            }
        }
        assert!(found == entries);
    }
}
