//! The walk through the L1 and L2 tables of an image, in guest order.

use std::ops::Range;

use extents::extent::length::in_memory;
use extents::extent::stored::Stored;
use extents::extent::walk::Walk;
use extents::extent::{Content, Extent};
use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::second_look::Fingerprint;
use extents::image::window::Window;

use crate::cluster_set::Budget;
use crate::l1_table::{L1Table, Stretch};
use crate::l2_table::{self, Run, certain_length};
use crate::occupied::Occupied;
use crate::subcluster;
use crate::tables::Tables;

/// Bytes of the L1 table that one layer holds at most.
const L1_WINDOW: usize = 64 << 10;
/// Bytes of L2 tables that one layer holds at most: tables that lie together are read at once. From the page cache,
/// 512 MiB of tables took 65 ms in reads of 16 KiB and 54 ms in any from 64 KiB to 4 MiB.
const L2_WINDOW: usize = 256 << 10;
/// Bytes that the windows of all layers together may hold, as long as each has [`MIN_WINDOW`].
const WINDOWS: usize = 8 << 20;
const MIN_WINDOW: usize = 4 << 10;

/// Walks the L1 and L2 tables of a layer.
#[derive(Debug)]
pub(crate) struct TableWalk<'a> {
    file: &'a ImageFile,
    tables: &'a Tables,
    number: u16,
    l1: L1Table<'a>,
    l2: Window,
    /// File bytes of the L2 tables in hand: from the entry of `position` to the end of the tables that follow it.
    in_hand: Range<u64>,
    /// File offset up to which they were added to `seen`.
    seen_until: u64,
    /// The L2 tables as far as they were read, to be looked at again when the walk has ended.
    seen: Fingerprint,
    /// The clusters of the file that were seen to be taken.
    occupied: Occupied<'a>,
    /// Guest offset of what comes next.
    position: u64,
    /// The extent that the next run may still continue.
    pending: Option<Extent>,
}

impl<'a> TableWalk<'a> {
    /// The walk over `file`, as layer number `number` in a chain of `layers`, which share `budget`.
    pub(crate) fn new(
        file: &'a ImageFile,
        tables: &'a Tables,
        number: u16,
        layers: usize,
        budget: &Budget,
    ) -> Self {
        let share = WINDOWS / layers.max(1) / 2 / MIN_WINDOW * MIN_WINDOW;
        let share = share.max(MIN_WINDOW);
        TableWalk {
            file,
            tables,
            number,
            l1: L1Table::new(file, tables.geometry(), share.min(L1_WINDOW)),
            l2: Window::new(share.min(L2_WINDOW)),
            in_hand: 0..0,
            seen_until: 0,
            seen: Fingerprint::default(),
            occupied: Occupied::new(file, tables, budget),
            position: 0,
            pending: None,
        }
    }

    /// The next run of the tables, cut at the virtual size; none at the end.
    fn next_run(&mut self) -> Result<Option<Extent>, Failure> {
        let left = self.tables.geometry().virtual_size - self.position;
        if left == 0 {
            return Ok(None);
        }
        if self.in_hand.is_empty()
            && let Some(length) = self.next_tables()?
        {
            return Ok(Some(self.step(length.min(left), Content::Absent)));
        }
        let Run { length, content, place } = self.next_entries()?;
        let length = length.min(left);
        self.check_inside_file(length, content)?;
        self.claim(length, content, place)?;
        Ok(Some(self.step(length, content)))
    }

    /// The extent of the next `length` bytes of the guest.
    fn step(&mut self, length: u64, content: Content) -> Extent {
        let start = self.position;
        self.position += length;
        Extent { start, length, layer: self.number, content }
    }

    /// Takes the next L1 entries: the guest bytes of a run of empty ones, or none when there are tables in hand now.
    fn next_tables(&mut self) -> Result<Option<u64>, Failure> {
        let geometry = self.tables.geometry();
        match self.l1.next_stretch()? {
            Some(Stretch::Tables { offset, tables }) => {
                self.in_hand = offset..offset + tables * geometry.cluster_size();
                self.seen_until = offset;
                self.occupied.add_metadata()?;
                let claimed = self.occupied.claim(offset, tables);
                claimed.map_err(|complaint| {
                    self.file.damaged(format!("an L2 table overlaps something else: {complaint}"))
                })?;
                Ok(None)
            }
            Some(Stretch::Empty { entries }) => Ok(Some(entries << geometry.l1_entry_bits())),
            None => Err(self.file.damaged("the L1 table ends before the virtual size")),
        }
    }

    /// The next run of the L2 tables in hand.
    fn next_entries(&mut self) -> Result<Run, Failure> {
        let geometry = self.tables.geometry();
        let entries = self.l2.read(self.file, self.in_hand.start, self.in_hand.end, "L2 table")?;
        let read_until = self.in_hand.start + entries.len() as u64;
        if read_until > self.seen_until {
            let known = in_memory(self.seen_until.saturating_sub(self.in_hand.start));
            self.seen.add(&entries[known..]);
            self.seen_until = read_until;
        }
        let inside_cluster = self.position & (geometry.cluster_size() - 1);
        let run = if geometry.extended_l2 {
            subcluster::first_run(entries, inside_cluster >> geometry.unit_bits(), geometry)
        } else {
            l2_table::first_run(entries, geometry)
        };
        let Some(run) = run.map_err(|complaint| self.damaged(&complaint))? else {
            return Err(self.damaged("found the end of the table, expected more entries"));
        };
        let clusters = (inside_cluster + run.length) >> geometry.cluster_bits;
        self.in_hand.start += clusters * geometry.l2_entry_size();
        Ok(run)
    }

    /// Nothing else may lie where the next `length` bytes of the guest have their `place`, whether or not there is data in it.
    fn claim(&mut self, length: u64, content: Content, place: Option<u64>) -> Result<(), Failure> {
        let (geometry, position) = (self.tables.geometry(), self.position);
        let claimed = match (content, place) {
            (Content::Data(Stored::Compressed(cluster)), _) => self.occupied.claim_compressed(&cluster),
            (_, None) => return Ok(()),
            (_, Some(offset)) if !geometry.external_data_file => {
                let clusters = (length + geometry.cluster_size() - 1) >> geometry.cluster_bits;
                self.occupied.claim(offset, clusters)
            }
            (_, Some(offset)) if offset == position => return Ok(()),
            (_, Some(offset)) => Err(format!(
                "found a cluster at byte {offset} of the external data file, expected it at byte {position}"
            )),
        };
        claimed.map_err(|complaint| self.damaged(&complaint))
    }

    /// The next `length` bytes of the guest, where they are stored, must lie inside their file, and in an external data file
    /// at the guest's offset.
    fn check_inside_file(&self, length: u64, content: Content) -> Result<(), Failure> {
        let (offset, length) = match content {
            Content::Absent | Content::Zero => return Ok(()),
            Content::Data(Stored::Plain { offset }) => (offset, length),
            Content::Data(Stored::Compressed(cluster)) => (cluster.offset, certain_length(&cluster)),
        };
        let geometry = self.tables.geometry();
        if geometry.external_data_file && offset != self.position {
            return Err(self.damaged(&format!(
                "found the data at byte {offset} of the external data file, expected it at byte {}",
                self.position
            )));
        }
        let data = if geometry.external_data_file { self.tables.data_file.as_ref() } else { Some(self.file) };
        match data {
            Some(file) if length > file.size() || offset > file.size() - length => {
                Err(file.damaged(format!(
                    "data of guest offset {} lies outside the file: found {length} bytes at byte {offset}, \
                     expected them before byte {}",
                    self.position,
                    file.size()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Status 3 for the L2 entry of `position`.
    fn damaged(&self, complaint: &str) -> Failure {
        self.file.damaged(format!("wrong L2 entry for guest offset {}: {complaint}", self.position))
    }
}

impl Iterator for TableWalk<'_> {
    type Item = Result<Extent, Failure>;

    /// Runs that go on across tables and stretches become one extent.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let extent = match self.next_run() {
                Ok(Some(extent)) => extent,
                Ok(None) => return self.pending.take().map(Ok),
                Err(failure) => return Some(Err(failure)),
            };
            match &mut self.pending {
                Some(last) if last.continues_in(&extent) => last.length += extent.length,
                pending => {
                    if let Some(done) = pending.replace(extent) {
                        return Some(Ok(done));
                    }
                }
            }
        }
    }
}

impl Walk for TableWalk<'_> {
    fn look_again(&mut self) -> Result<(), Failure> {
        self.tables.check_unchanged(self.file, self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_builders::qcow2::{Cluster, Image};

    #[test]
    fn what_goes_on_across_l2_tables_is_one_extent() {
        // 64 clusters in an L2 table; the first and the fourth are not there.
        let mut image = Image::new("a", 320 * 512).cluster_bits(9);
        for number in 64..192 {
            image.set(number, Cluster::Data);
        }
        image.set(300, Cluster::Zero);
        let directory = tempfile::tempdir().unwrap();
        let file = ImageFile::open(&image.write_to(directory.path()).unwrap()).unwrap();
        let tables = Tables::open(&file).unwrap();
        let extents: Vec<Extent> =
            TableWalk::new(&file, &tables, 0, 1, &Budget::new(1 << 20)).collect::<Result<_, _>>().unwrap();
        let clusters: Vec<_> =
            extents.iter().map(|extent| (extent.start / 512, extent.length / 512)).collect();
        assert_eq!(clusters, [(0, 64), (64, 128), (192, 108), (300, 1), (301, 19)]);
    }
}
