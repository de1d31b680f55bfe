//! What lies in the clusters of an image, so that no two things lie in one. A reader that does not look takes one guest
//! cluster for another, or metadata for data; and in a table that something else was written over, offsets are as good as
//! random.
//!
//! Internal snapshots share clusters with the active tables, and these alone are looked at: in them no cluster stands twice.
//! Compressed clusters lie side by side in one cluster of the file.

use std::ops::Range;

use extents::extent::stored::CompressedCluster;
use extents::failure::Failure;
use extents::image::file::ImageFile;

use crate::cluster_set::{Budget, ClusterSet};
use crate::l2_table::{Complaint, certain_length};
use crate::tables::Tables;
use crate::{refcount_table, snapshot_table};

/// The clusters of one image that are taken.
#[derive(Debug)]
pub(crate) struct Occupied<'a> {
    file: &'a ImageFile,
    tables: &'a Tables,
    /// Metadata, and guest clusters that are not compressed.
    whole: ClusterSet,
    /// Clusters in which compressed ones lie.
    packed: ClusterSet,
    /// Clusters that the file can still hold. Where the sets are too small, this shows that some must lie in one.
    left: u64,
    has_metadata: bool,
}

impl<'a> Occupied<'a> {
    /// Nothing yet.
    pub(crate) fn new(file: &'a ImageFile, tables: &'a Tables, budget: &Budget) -> Self {
        Occupied {
            file,
            tables,
            whole: ClusterSet::new(budget.clone()),
            packed: ClusterSet::new(budget.clone()),
            left: (file.size() >> tables.geometry().cluster_bits) + 1,
            has_metadata: false,
        }
    }

    /// Adds the metadata but for the L2 tables, before anything is claimed; again it does nothing.
    pub(crate) fn add_metadata(&mut self) -> Result<(), Failure> {
        if std::mem::replace(&mut self.has_metadata, true) {
            return Ok(());
        }
        let geometry = self.tables.geometry();
        self.whole.add(0..1);
        for (_, range) in &geometry.metadata {
            self.add(range);
        }
        let header = &self.tables.first_cluster.header;
        refcount_table::blocks(self.file, header, geometry, |offset| {
            let cluster = offset >> geometry.cluster_bits;
            self.whole.add(cluster..cluster + 1);
        })?;
        for table in snapshot_table::l1_tables(self.file, header) {
            self.add(&table?);
        }
        Ok(())
    }

    /// Metadata that may be damaged itself, and that no guest read needs.
    fn add(&mut self, bytes: &Range<u64>) {
        let end = bytes.end.min(self.file.size());
        if bytes.start < end {
            self.whole.add(self.clusters_of(bytes.start, end - bytes.start));
        }
    }

    /// L2 tables or guest clusters, `clusters` of them from file offset `offset` on, a multiple of the cluster size. The last
    /// must at least begin in the file: more is not written of a cluster that reads as zeros.
    #[inline]
    pub(crate) fn claim(&mut self, offset: u64, clusters: u64) -> Result<(), Complaint> {
        let geometry = self.tables.geometry();
        let length = clusters << geometry.cluster_bits;
        if offset.saturating_add(length - geometry.cluster_size()) >= self.file.size() {
            return Err(self.outside(offset, length));
        }
        let run = self.clusters_of(offset, length);
        if !self.packed.is_empty()
            && let Some(cluster) = self.packed.first_of(&run)
        {
            return Err(self.taken(cluster));
        }
        self.whole.claim(run).map_err(|cluster| self.taken(cluster))?;
        let too_many = || format!("found {clusters} more clusters, expected no more than fit into the file");
        self.left = self.left.checked_sub(clusters).ok_or_else(too_many)?;
        Ok(())
    }

    /// A compressed guest cluster, as far as it is known to reach.
    pub(crate) fn claim_compressed(&mut self, cluster: &CompressedCluster) -> Result<(), Complaint> {
        let run = self.clusters_of(cluster.offset, certain_length(cluster));
        if let Some(taken) = self.whole.first_of(&run) {
            return Err(self.taken(taken));
        }
        self.packed.add(run);
        Ok(())
    }

    /// The clusters of `length` bytes, at least one.
    fn clusters_of(&self, offset: u64, length: u64) -> Range<u64> {
        let bits = self.tables.geometry().cluster_bits;
        offset >> bits..(offset.saturating_add(length - 1) >> bits) + 1
    }

    #[cold]
    fn outside(&self, offset: u64, length: u64) -> Complaint {
        format!(
            "found clusters at bytes {offset} to {}, expected them before byte {}, where the file ends",
            offset.saturating_add(length - 1),
            self.file.size()
        )
    }

    #[cold]
    fn taken(&self, cluster: u64) -> Complaint {
        let geometry = self.tables.geometry();
        let offset = cluster << geometry.cluster_bits;
        let here = offset..offset + geometry.cluster_size();
        let metadata = [("the header", 0..1)];
        let by = metadata
            .iter()
            .chain(&geometry.metadata)
            .find(|(_, range)| range.start < here.end && here.start < range.end && !range.is_empty())
            .map_or("another guest cluster or table", |(name, _)| *name);
        format!("found the cluster at byte {offset}, where {by} lies, expected one that is free")
    }
}
