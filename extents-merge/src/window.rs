//! A table of an image, read a stretch at a time: no image can make us hold its tables whole.

use crate::failure::Failure;
use crate::image_file::ImageFile;

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
    /// inside the file (status 3 otherwise, with `what` as the name of the structure).
    pub fn read(&mut self, file: &ImageFile, start: u64, end: u64, what: &str) -> Result<&[u8], Failure> {
        let end = end.max(start);
        let held = self.start..self.start + self.bytes.len() as u64;
        if !held.contains(&start) {
            file.check_range(start, end - start, what)?;
            let length = end - start.min(self.capacity as u64);
            // Taken out while it is filled: after an error the window must not answer with half-read bytes.
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.resize(usize::try_from(length).unwrap_or(self.capacity), 0);
            file.read_exact_at(&mut bytes, start, what)?;
            self.start = start;
            self.bytes = bytes;
        }
        let from = usize::try_from(start - self.start).unwrap_or(usize::MAX);
        let until = usize::try_from(end - self.start).unwrap_or(usize::MAX).min(self.bytes.len());
        Ok(&self.bytes[from..until])
    }
}
