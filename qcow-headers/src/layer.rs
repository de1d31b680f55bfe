//! One image of a chain, and the walk through its tables in guest order.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use extents::extent::{Content, Extent};
use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::second_look::{self, Fingerprint};
use extents::image::window::Window;

use crate::first_cluster::FirstCluster;
use crate::geometry::Geometry;
use crate::l1_table::{L1Table, Stretch};
use crate::l2_table::{self, Run};
use crate::seen_tables::seen_again;
use crate::subcluster;

/// Bytes of the L1 table that one layer holds at most.
const L1_WINDOW: usize = 64 << 10;
/// Bytes of L2 tables that one layer holds at most: tables that lie together are read at once. From the page cache,
/// 512 MiB of tables took 65 ms in reads of 16 KiB and 54 ms in any from 64 KiB to 4 MiB.
const L2_WINDOW: usize = 256 << 10;
/// Bytes that the windows of all layers together may hold, as long as each has [`MIN_WINDOW`].
const WINDOWS: usize = 8 << 20;
const MIN_WINDOW: usize = 4 << 10;

/// A QCOW2 image whose header and L1 table were found sound.
#[derive(Debug)]
pub struct Layer {
    /// The image.
    pub file: ImageFile,
    /// What its first cluster says.
    pub first_cluster: FirstCluster,
    /// The external data file, once it was opened. Without it nobody looks whether the data lies inside it.
    pub data_file: Option<ImageFile>,
    /// A number for the L1 table as it was when the layer was opened.
    l1_fingerprint: Fingerprint,
}

impl Layer {
    /// Reads the header of `file` and looks through its L1 table.
    pub fn open(file: ImageFile) -> Result<Self, Failure> {
        let first_cluster = FirstCluster::read(&file)?;
        L1Table::new(&file, &first_cluster.geometry, L1_WINDOW).check()?;
        let l1_fingerprint = fingerprint_l1(&file, &first_cluster.geometry)?;
        Ok(Layer { file, first_cluster, data_file: None, l1_fingerprint })
    }

    /// Reads the first cluster, the L1 table, and what a walk has `seen` of the L2 tables again: status 1 when what
    /// decides is no longer what it was.
    pub(crate) fn check_unchanged(&self, seen: Fingerprint) -> Result<(), Failure> {
        let was = self.first_cluster.decisive();
        let now = FirstCluster::read(&self.file);
        let now = now.as_ref().map(FirstCluster::decisive).map_err(Clone::clone);
        second_look::compare(&self.file, "the header", &was, now)?;
        let now = fingerprint_l1(&self.file, self.geometry());
        second_look::compare(&self.file, "the L1 table", &self.l1_fingerprint, now)?;
        second_look::compare(&self.file, "an L2 table", &seen, seen_again(&self.file, self.geometry(), seen))
    }

    /// What the header means.
    pub fn geometry(&self) -> &Geometry {
        &self.first_cluster.geometry
    }

    /// The file that the data lies in, if it is open.
    pub fn data(&self) -> Option<&ImageFile> {
        if self.geometry().external_data_file { self.data_file.as_ref() } else { Some(&self.file) }
    }

    /// The extents of this layer, number `number` in a chain of `layers`.
    pub fn extents(&self, number: u16, layers: usize) -> LayerExtents<'_> {
        let share = WINDOWS / layers.max(1) / 2 / MIN_WINDOW * MIN_WINDOW;
        let share = share.max(MIN_WINDOW);
        LayerExtents {
            layer: self,
            number,
            l1: L1Table::new(&self.file, self.geometry(), share.min(L1_WINDOW)),
            l2: Window::new(share.min(L2_WINDOW)),
            tables: 0..0,
            seen_until: 0,
            seen: Rc::default(),
            position: 0,
            pending: None,
        }
    }
}

fn fingerprint_l1(file: &ImageFile, geometry: &Geometry) -> Result<Fingerprint, Failure> {
    let start = geometry.l1_offset;
    Fingerprint::of(file, start..start + geometry.l1_entries() * 8, "L1 table")
}

/// Walks the L1 and L2 tables of a layer.
#[derive(Debug)]
pub struct LayerExtents<'a> {
    layer: &'a Layer,
    number: u16,
    l1: L1Table<'a>,
    l2: Window,
    /// File bytes of the L2 tables in hand: from the entry of `position` to the end of the tables that follow it.
    tables: Range<u64>,
    /// File offset up to which they were added to `seen`.
    seen_until: u64,
    seen: Rc<Cell<Fingerprint>>,
    /// Guest offset of what comes next.
    position: u64,
    /// The extent that the next run may still continue.
    pending: Option<Extent>,
}

impl LayerExtents<'_> {
    /// The L2 tables as far as they were read, to be looked at when the walk has ended.
    pub(crate) fn seen(&self) -> Rc<Cell<Fingerprint>> {
        Rc::clone(&self.seen)
    }

    /// The next run of the tables, cut at the virtual size; none at the end.
    fn next_run(&mut self) -> Result<Option<Extent>, Failure> {
        let geometry = self.layer.geometry();
        let left = geometry.virtual_size - self.position;
        if left == 0 {
            return Ok(None);
        }
        let empty = if self.tables.is_empty() { self.next_tables()? } else { None };
        let run = match empty {
            Some(run) => run,
            None => self.next_entries()?,
        };
        let extent = Extent {
            start: self.position,
            length: run.length.min(left),
            layer: self.number,
            content: run.content,
        };
        self.check_inside_file(&extent)?;
        self.position += extent.length;
        Ok(Some(extent))
    }

    /// Takes the next L1 entries: a run of empty ones, or none when there are tables in hand now.
    fn next_tables(&mut self) -> Result<Option<Run>, Failure> {
        let geometry = self.layer.geometry();
        match self.l1.next_stretch()? {
            Some(Stretch::Tables { offset, tables }) => {
                self.tables = offset..offset + tables * geometry.cluster_size();
                self.seen_until = offset;
                Ok(None)
            }
            Some(Stretch::Empty { entries }) => {
                Ok(Some(Run { length: entries << geometry.l1_entry_bits(), content: Content::Absent }))
            }
            None => Err(self.layer.file.damaged("the L1 table ends before the virtual size")),
        }
    }

    /// The next run of the L2 tables in hand.
    fn next_entries(&mut self) -> Result<Run, Failure> {
        let file = &self.layer.file;
        let geometry = self.layer.geometry();
        let entries = self.l2.read(file, self.tables.start, self.tables.end, "L2 table")?;
        let read_until = self.tables.start + entries.len() as u64;
        if read_until > self.seen_until {
            let known =
                usize::try_from(self.seen_until.saturating_sub(self.tables.start)).unwrap_or(entries.len());
            let mut seen = self.seen.get();
            seen.add(entries.get(known..).unwrap_or_default());
            self.seen.set(seen);
            self.seen_until = read_until;
        }
        let inside_cluster = self.position & (geometry.cluster_size() - 1);
        let run = if geometry.extended_l2 {
            // Below 32.
            let from = u32::try_from(inside_cluster >> geometry.unit_bits()).unwrap_or(0);
            subcluster::first_run(entries, from, geometry)
        } else {
            l2_table::first_run(entries, geometry)
        };
        let Some(run) = run.map_err(|complaint| self.damaged(&complaint))? else {
            return Err(self.damaged("found the end of the table, expected more entries"));
        };
        let clusters = (inside_cluster + run.length) >> geometry.cluster_bits;
        self.tables.start += clusters * geometry.l2_entry_size();
        Ok(run)
    }

    /// Stored data must lie inside its file, and in an external data file at the guest's offset.
    fn check_inside_file(&self, extent: &Extent) -> Result<(), Failure> {
        let (offset, length) = match extent.content {
            Content::Absent | Content::Zero => return Ok(()),
            Content::Data { offset } => (offset, extent.length),
            // It ends with a whole sector, of which the file may have the beginning only.
            Content::Compressed(cluster) => (cluster.offset, u64::from(cluster.host_length).max(512) - 511),
        };
        if self.layer.geometry().external_data_file && offset != extent.start {
            return Err(self.damaged(&format!(
                "found the data at byte {offset} of the external data file, expected it at byte {}",
                extent.start
            )));
        }
        match self.layer.data() {
            Some(file) if length > file.size() || offset > file.size() - length => {
                Err(file.damaged(format!(
                    "data of guest offset {} lies outside the file: found {length} bytes at byte {offset}, \
                     expected them before byte {}",
                    extent.start,
                    file.size()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Status 3 for the L2 entry of `position`.
    fn damaged(&self, complaint: &str) -> Failure {
        self.layer.file.damaged(format!("wrong L2 entry for guest offset {}: {complaint}", self.position))
    }
}

impl Iterator for LayerExtents<'_> {
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
        let layer = Layer::open(file).unwrap();
        let extents: Vec<Extent> = layer.extents(0, 1).collect::<Result<_, _>>().unwrap();
        let clusters: Vec<_> =
            extents.iter().map(|extent| (extent.start / 512, extent.length / 512)).collect();
        assert_eq!(clusters, [(0, 64), (64, 128), (192, 108), (300, 1), (301, 19)]);
    }
}
