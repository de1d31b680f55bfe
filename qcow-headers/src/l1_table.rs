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
mod tests {
    use super::*;
    use crate::first_cluster::FirstCluster;
    use image_builders::qcow2::{Built, Cluster, Image};

    /// Clusters of 512 bytes: 64 in an L2 table. Tables for L1 entries 0 to 4 and 10 of 12.
    fn image() -> Built {
        let mut image = Image::new("a", 12 * 64 * 512).cluster_bits(9);
        image.snapshots = 3;
        for table in [0, 1, 2, 3, 4, 10] {
            image.set(table * 64, Cluster::Zero);
        }
        image.build()
    }

    fn checked(built: &Built, window: usize) -> Result<Vec<Stretch>, Failure> {
        let directory = tempfile::tempdir().unwrap();
        let file = ImageFile::open(&built.write_to(directory.path()).unwrap()).unwrap();
        let geometry = FirstCluster::read(&file)?.geometry;
        let mut table = L1Table::new(&file, &geometry, window);
        let stretches = std::iter::from_fn(|| table.next_stretch().transpose()).collect();
        L1Table::new(&file, &geometry, window).check()?;
        stretches
    }

    fn refused(change: impl Fn(&mut Built), sentence: &str) {
        let mut built = image();
        change(&mut built);
        let failure = checked(&built, 4096).unwrap_err();
        assert!(failure.to_string().contains(sentence), "{failure}");
        assert_eq!(failure.status() as u8, 3);
    }

    #[test]
    fn tables_that_lie_together_come_at_once() {
        let built = image();
        let at = |entry: u64| built.places.l2[&entry];
        let tables = |entry, tables| Stretch::Tables { offset: at(entry), tables };
        let empty = |entries| Stretch::Empty { entries };
        assert_eq!(checked(&built, 4096).unwrap(), [tables(0, 5), empty(5), tables(10, 1), empty(1)]);
        // Where the window ends, a stretch ends too.
        let small = checked(&built, 32).unwrap();
        assert_eq!(small, [tables(0, 4), tables(4, 1), empty(3), empty(2), tables(10, 1), empty(1)]);
    }

    #[test]
    fn reserved_bits_are_refused_and_the_copied_flag_means_nothing() {
        for bit in (0..9).chain(56..63) {
            for entry in [1, 6] {
                let change = |built: &mut Built| {
                    let offset = built.places.l2.get(&entry).copied().unwrap_or_default();
                    built.put_u64(built.places.l1 + entry * 8, offset | COPIED | 1 << bit);
                };
                refused(change, &format!("L1 entry {entry} has reserved bits"));
            }
        }
        let mut built = image();
        built.put_u64(built.places.l1 + 6 * 8, COPIED);
        assert_eq!(checked(&built, 4096).unwrap()[1], Stretch::Empty { entries: 5 });
    }

    #[test]
    fn misplaced_l2_tables_are_refused() {
        let l1 = |built: &Built| built.places.l1;
        refused(|built| built.put_u64(l1(built), 1 << 55), "L2 table lies outside the file");
        refused(|built| built.put_u64(l1(built), OFFSET_MASK), "L2 table lies outside the file");
        refused(|built| built.bytes.truncate(built.bytes.len() - 1), "L2 table lies outside the file");
        refused(|built| built.put_u64(l1(built), l1(built)), "overlaps the L1 table");
        refused(|built| built.put_u64(l1(built), built.places.refcount_table), "overlaps the refcount table");
        refused(|built| built.put_u64(l1(built), built.places.snapshot_table), "overlaps the snapshot table");
    }

    #[test]
    fn without_snapshots_it_does_not_matter_where_their_table_would_be() {
        let mut built = image();
        built.put_u32(60, 0);
        built.put_u64(64, built.places.l2[&1]);
        assert_eq!(checked(&built, 4096), checked(&image(), 4096));
    }

    #[test]
    fn an_l1_table_that_is_cut_off_after_the_entries_in_use_is_refused() {
        // From the L1 table to the end of the file there is room for 448 entries.
        refused(|built| built.put_u32(36, 449), "L1 table lies outside the file");
    }

    #[test]
    fn an_l2_table_that_is_not_aligned_is_refused() {
        let mut image = Image::new("a", 1 << 20).cluster_bits(12);
        image.set(0, Cluster::Data);
        let mut built = image.build();
        built.put_u64(built.places.l1, built.places.l2[&0] + 512);
        let failure = checked(&built, 4096).unwrap_err();
        assert!(failure.to_string().contains("L1 entry 0 is not aligned"), "{failure}");
        built.put_u64(built.places.l1, 512);
        assert!(checked(&built, 4096).is_err());
    }

    /// The first `entries` L1 entries lead to the first `tables` L2 tables, in turn.
    fn shared(entries: u64, tables: u64) -> Result<Vec<Stretch>, Failure> {
        let mut image = Image::new("a", 4000 * 64 * 512).cluster_bits(9);
        for table in 0..tables {
            image.set(table * 64, Cluster::Zero);
        }
        let mut built = image.build();
        for entry in 0..entries {
            built.put_u64(built.places.l1 + entry * 8, built.places.l2[&(entry % tables)]);
        }
        // The header, the refcount table, 63 clusters of L1 entries.
        assert_eq!(built.bytes.len() as u64, (65 + tables) * 512);
        checked(&built, 4096)
    }

    #[test]
    fn an_l1_table_that_leads_to_the_same_tables_again_and_again_is_refused() {
        for (entries, tables) in [(4000, 1), (4000, 5), (66, 1), (70, 5)] {
            let failure = shared(entries, tables).unwrap_err();
            assert!(failure.to_string().contains("share L2 tables"), "{failure}");
        }
        // As few as could be tables of their own are let pass.
        shared(65, 1).unwrap();
    }

    /// Tables of 2 MiB, one after the other, in a hole of the file.
    fn in_a_hole(tables: u64) -> Result<(), Failure> {
        let mut built = Image::new("a", tables << 39).cluster_bits(21).build();
        let first = (built.bytes.len() as u64).next_multiple_of(2 << 20);
        for table in 0..tables {
            built.put_u64(built.places.l1 + table * 8, first + (table << 21));
        }
        let directory = tempfile::tempdir().unwrap();
        let path = built.write_to(directory.path()).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(first + (tables << 21)).unwrap();
        let file = ImageFile::open(&path).unwrap();
        L1Table::new(&file, &FirstCluster::read(&file)?.geometry, 4096).check()
    }

    #[test]
    fn tables_in_holes_are_let_pass_up_to_2_gib() {
        in_a_hole(1024).unwrap();
        let failure = in_a_hole(1025).unwrap_err();
        assert!(failure.to_string().contains("L2 tables lie in holes of the file"), "{failure}");
        assert_eq!(failure.status() as u8, 4);
    }

    /// 512 bytes each, in a hole of the file; `step` leads from one to the next.
    fn small_in_a_hole(tables: u64, step: i64) -> Result<(), Failure> {
        let mut built = Image::new("a", tables << 15).cluster_bits(9).build();
        let first = built.bytes.len() as u64;
        let start = if step < 0 { first + tables * 512 } else { first };
        for table in 0..tables {
            let place = start.saturating_add_signed(step * table.cast_signed() * 512);
            built.put_u64(built.places.l1 + table * 8, place);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = built.write_to(directory.path()).unwrap();
        let end = first + (tables + 1) * 512 * step.unsigned_abs();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(end).unwrap();
        let file = ImageFile::open(&path).unwrap();
        L1Table::new(&file, &FirstCluster::read(&file)?.geometry, 64 << 10).check()
    }

    #[test]
    fn small_tables_in_holes_count_by_the_reads_they_take() {
        small_in_a_hole(200_000, 1).unwrap();
        for step in [-1, 2] {
            small_in_a_hole(131_072, step).unwrap();
            let failure = small_in_a_hole(200_000, step).unwrap_err();
            assert!(failure.to_string().contains("L2 tables lie in holes of the file"), "{failure}");
        }
    }
}
