//! The active L1 table: where the L2 tables lie. Tables that lie together in the file come as one stretch, so that
//! they can be read at once, and so do empty entries.

use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::window::Window;

use crate::geometry::Geometry;
use crate::run_length::{Progression, words};

/// Bits 9 to 55 of an L1 or L2 entry: a file offset. The bits around them are flags or reserved.
pub(crate) const OFFSET_MASK: u64 = 0x00FF_FFFF_FFFF_FE00;
/// The flag of an L1 or L2 entry that says something of refcounts, and nothing of where data is.
pub(crate) const COPIED: u64 = 1 << 63;
/// Bits 0 to 8 and 56 to 62 of an L1 entry, which nobody sets. QEMU ignores them when it reads, but in a table that something
/// else was written over they tell, and `qemu-img check` counts them as errors.
const RESERVED: u64 = !(OFFSET_MASK | COPIED);

/// Bytes of L2 tables that are read whether or not they lie in holes of the file: less than a second. It takes 16 TiB in
/// clusters of 64 KiB to have more.
const MAX_IN_HOLES: u64 = 2 << 30;
/// Bytes that a read takes as long as: small tables that do not lie together count as if they were this large.
const READ: u64 = 16 << 10;
/// How many times the bytes that a file stores its L2 tables may have beyond that. What a hole holds is not looked up, for
/// file systems have been wrong about it; and a table without a single stored page would have no reason to be.
const MAX_SPARSENESS: u64 = 64;

/// L1 entries that go on as the first of them began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// No L2 tables: nothing is allocated.
    Empty {
        /// How many.
        entries: u64,
    },
    /// L2 tables that lie together in the file.
    Tables {
        /// File offset of the first.
        offset: u64,
        /// How many.
        tables: u64,
    },
}

/// Reads the L1 table from its beginning to the last entry that the virtual size needs.
#[derive(Debug)]
pub(crate) struct L1Table<'a> {
    file: &'a ImageFile,
    geometry: &'a Geometry,
    window: Window,
    /// Number of the next entry.
    next: u64,
}

impl<'a> L1Table<'a> {
    /// A reader that holds at most `capacity` bytes of the table.
    pub(crate) fn new(file: &'a ImageFile, geometry: &'a Geometry, capacity: usize) -> Self {
        L1Table { file, geometry, window: Window::new(capacity), next: 0 }
    }

    /// The next entries; none after the last one that the virtual size needs.
    ///
    /// L2 tables that are not aligned, lie outside the file or overlap other metadata are refused (status 3).
    pub(crate) fn next_stretch(&mut self) -> Result<Option<Stretch>, Failure> {
        let start = self.geometry.l1_offset + self.next * 8;
        let end = self.geometry.l1_offset + self.geometry.l1_entries() * 8;
        let table = self.window.read(self.file, start, end, "L1 table")?;
        let Some(first) = words(table).next() else { return Ok(None) };
        let offset = first & OFFSET_MASK;
        let cluster_size = self.geometry.cluster_size();
        let step = if offset == 0 { 0 } else { cluster_size };
        if first & RESERVED != 0 {
            return Err(self.file.damaged(format!(
                "L1 entry {} has reserved bits: found {first:#018x}, expected bits 0 to 8 and 56 to 62 clear",
                self.next
            )));
        }
        let entries = Progression { mask: !COPIED, first: offset, step }.count(words(table)) as u64;
        if offset != 0 {
            self.check_tables(offset, entries)?;
        }
        self.next += entries;
        Ok(Some(match offset {
            0 => Stretch::Empty { entries },
            _ => Stretch::Tables { offset, tables: entries },
        }))
    }

    fn check_tables(&self, offset: u64, tables: u64) -> Result<(), Failure> {
        let cluster_size = self.geometry.cluster_size();
        if !offset.is_multiple_of(cluster_size) {
            return Err(self.file.damaged(format!(
                "L1 entry {} is not aligned: found an L2 table at byte {offset}, expected a multiple of \
                 {cluster_size}",
                self.next
            )));
        }
        // Below 2^56 + 2^22 * 2^21.
        let end = offset + tables * cluster_size;
        self.file.check_range(offset, end - offset, "L2 table")?;
        for (name, range) in &self.geometry.metadata {
            if !range.is_empty() && offset < range.end && range.start < end {
                return Err(self.file.damaged(format!(
                    "an L2 table overlaps {name}: found L2 tables at bytes {offset} to {end}, expected none in {} \
                     to {}",
                    range.start, range.end
                )));
            }
        }
        Ok(())
    }

    /// Looks at all entries before the walk begins, so that most damage is found before anything is printed.
    ///
    /// No two entries share an L2 table: if all of them do not fit into the file, some do. This bounds the work of
    /// a walk, which a small table that points at one place again and again would stretch to days.
    pub(crate) fn check(mut self) -> Result<(), Failure> {
        let whole = u64::from(self.geometry.l1_size) * 8;
        self.file.check_range(self.geometry.l1_offset, whole, "L1 table")?;
        let (mut bytes, mut work) = (0_u64, 0_u64);
        while let Some(stretch) = self.next_stretch()? {
            if let Stretch::Tables { tables, .. } = stretch {
                let stretch = tables * self.geometry.cluster_size();
                bytes += stretch;
                work += stretch.max(READ);
            }
        }
        if bytes >= self.file.size() {
            return Err(self.file.damaged(format!(
                "L1 entries share L2 tables: found tables of {bytes} bytes, expected less than the {} bytes of the \
                 file",
                self.file.size()
            )));
        }
        self.check_stored(bytes, work)
    }

    /// Fails with status 4 if reading `bytes` of L2 tables, as long as reading `work` bytes that lie together, is mostly reading
    /// holes, of which a small file has any number.
    fn check_stored(&self, bytes: u64, work: u64) -> Result<(), Failure> {
        match self.file.stored_bytes() {
            Some(stored) if work > MAX_IN_HOLES && work / MAX_SPARSENESS > stored => {
                Err(self.file.unsupported(format!(
                    "the L2 tables lie in holes of the file: found tables of {bytes} bytes, which take the time of \
                     {work}, in a file that stores {stored}, expected at most {MAX_SPARSENESS} times as much"
                )))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
