//! A table of an image, read a stretch at a time: no image can make us hold its tables whole.

use crate::extent::length::in_memory;
use crate::failure::Failure;
use crate::image::file::ImageFile;

/// The stretch of a file that was read last.
#[derive(Debug)]
pub struct Window {
    /// File offset of `bytes`.
    start: u64,
    bytes: Vec<u8>,
    capacity: usize,
}

impl Window {
    /// A window of at most `capacity` bytes; nothing is allocated before the first read.
    pub fn new(capacity: usize) -> Self {
        Window { start: 0, bytes: Vec::new(), capacity }
    }

    /// The bytes of the file from offset `start` up to `end` (exclusive), or as many as the window holds: at least
    /// one unless the range is empty.
    ///
    /// Call it with the table's own end: what is read ahead is kept for the next call. The whole range must lie
    /// inside the file (status 3 otherwise, with `what` as the name of the structure); status 1 for a failed read.
    pub fn read(&mut self, file: &ImageFile, start: u64, end: u64, what: &str) -> Result<&[u8], Failure> {
        let end = end.max(start);
        let held = self.start..self.start + self.bytes.len() as u64;
        if !held.contains(&start) {
            file.check_range(start, end - start, what)?;
            let length = (end - start).min(self.capacity as u64);
            // Taken out while it is filled: after an error the window must not answer with half-read bytes.
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.resize(in_memory(length), 0);
            file.read_exact_at(&mut bytes, start, what)?;
            self.start = start;
            self.bytes = bytes;
        }
        let from = in_memory(start - self.start);
        let until = in_memory(end - self.start).min(self.bytes.len());
        Ok(&self.bytes[from..until])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, ImageFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table");
        std::fs::write(&path, bytes).unwrap();
        (directory, ImageFile::open(&path).unwrap())
    }

    #[test]
    fn a_window_never_holds_more_than_its_capacity_and_never_reads_past_the_end_of_the_table() {
        let (_directory, file) = file(&(0..100).collect::<Vec<u8>>());
        let mut window = Window::new(16);
        assert_eq!(window.read(&file, 10, 60, "table").unwrap(), (10..26).collect::<Vec<u8>>());
        assert_eq!(window.read(&file, 20, 60, "table").unwrap(), (20..26).collect::<Vec<u8>>());
        assert_eq!(window.read(&file, 20, 22, "table").unwrap(), [20, 21]);
        assert_eq!(window.read(&file, 26, 30, "table").unwrap(), [26, 27, 28, 29]);
        assert!(window.read(&file, 30, 30, "table").unwrap().is_empty());
        assert!(window.read(&file, 30, 5, "table").unwrap().is_empty());
    }

    #[test]
    fn a_table_that_is_cut_off_is_damage_from_its_first_byte_on() {
        let (_directory, file) = file(&[7; 100]);
        let mut window = Window::new(16);
        for (start, end) in [(90, 101), (0, 101), (0, u64::MAX), (u64::MAX - 1, u64::MAX)] {
            let failure = window.read(&file, start, end, "table").unwrap_err();
            assert_eq!(failure.status(), Status::Damaged, "{failure}");
        }
        assert_eq!(window.read(&file, 99, 100, "table").unwrap(), [7]);
    }
}
