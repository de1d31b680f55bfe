//! What is known of a QCOW2 beside its file: its first cluster, and in which state its L1 table was.

use std::path::Path;

use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::second_look::{self, Fingerprint};

use crate::first_cluster::FirstCluster;
use crate::geometry::Geometry;
use crate::l1_table::L1Table;
use crate::seen_tables::seen_again;

/// Bytes of the L1 table that are held at a time while it is checked.
const WINDOW: usize = 64 << 10;

/// A header and an L1 table that were found sound.
#[derive(Debug)]
pub(crate) struct Tables {
    /// What the first cluster says.
    pub(crate) first_cluster: FirstCluster,
    /// The external data file, once it was opened. Without it nobody looks whether the data lies inside it.
    pub(crate) data_file: Option<ImageFile>,
    /// The fingerprint of the L1 table when the image was opened.
    l1_fingerprint: Fingerprint,
}

impl Tables {
    /// Reads the header of `file` and looks through its L1 table.
    pub(crate) fn open(file: &ImageFile) -> Result<Self, Failure> {
        let first_cluster = FirstCluster::read(file)?;
        L1Table::new(file, &first_cluster.geometry, WINDOW).check()?;
        let l1_fingerprint = fingerprint_l1(file, &first_cluster.geometry)?;
        Ok(Tables { first_cluster, data_file: None, l1_fingerprint })
    }

    /// What the header means.
    pub(crate) fn geometry(&self) -> &Geometry {
        &self.first_cluster.geometry
    }

    /// What the header says, for people who ask: `path` is the name of the image.
    pub(crate) fn notes(&self, path: &Path) -> Vec<String> {
        let (path, geometry) = (path.display(), self.geometry());
        let mut notes = vec![format!(
            "{path}: QCOW2 version {}, {} bytes, clusters of {} bytes, units of {} bytes",
            self.first_cluster.header.version,
            geometry.virtual_size,
            geometry.cluster_size(),
            1_u64 << geometry.unit_bits()
        )];
        if self.first_cluster.is_dirty() {
            notes.push(format!("{path}: was not closed properly; its tables are valid all the same"));
        }
        notes
    }

    /// Reads the first cluster, the L1 table, and what a walk has `seen` of the L2 tables again: status 1 when what
    /// decides is no longer what it was, or another file has its name. An external data file may be written to.
    pub(crate) fn check_unchanged(&self, file: &ImageFile, seen: Fingerprint) -> Result<(), Failure> {
        second_look::check_name(file)?;
        if let Some(data) = &self.data_file {
            second_look::check_name(data)?;
            if data.state_now()?.size < data.size() {
                return Err(data.changed("it became shorter"));
            }
        }
        let was = self.first_cluster.decisive();
        let now = FirstCluster::read(file);
        let now = now.as_ref().map(FirstCluster::decisive).map_err(Clone::clone);
        second_look::compare(file, "the header", &was, now)?;
        let now = fingerprint_l1(file, self.geometry());
        second_look::compare(file, "the L1 table", &self.l1_fingerprint, now)?;
        second_look::compare(file, "an L2 table", &seen, seen_again(file, self.geometry(), seen))
    }
}

fn fingerprint_l1(file: &ImageFile, geometry: &Geometry) -> Result<Fingerprint, Failure> {
    let start = geometry.l1_offset;
    Fingerprint::of(file, start..start + geometry.l1_entries() * 8, "L1 table")
}
