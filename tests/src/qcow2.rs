//! QCOW2 images, written byte by byte: every state that a cluster can have, in any combination, with what a guest
//! must read from them.
//!
//! ```
//! use image_builders::qcow2::{Cluster, Image};
//! let mut base = Image::new("base.qcow2", 1 << 20);
//! base.set(0, Cluster::Data).set(1, Cluster::Compressed);
//! let mut overlay = Image::new("overlay.qcow2", 1 << 20).over("base.qcow2", Some("qcow2"));
//! overlay.set(0, Cluster::Zero);
//! let truth = overlay.truth(&base.truth(&[]));
//! assert!(truth[..65536].iter().all(|byte| *byte == 0) && truth[65536] != 0);
//! ```

mod content;
mod header;
mod layout;
mod random;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use layout::Built;
pub use random::{Chain, Dice};

/// Subclusters in a cluster of an image with extended L2 entries.
pub const SUBCLUSTERS: usize = 32;

/// What the tables say about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// Stored.
    Data,
    /// Stored in compressed form.
    Compressed,
    /// Reads as zeros and has no place in the file (version 3).
    Zero,
    /// Reads as zeros and has a place in the file, which is filled with garbage (version 3).
    PreallocatedZero,
    /// Has a place, filled with garbage, but is left to the layer below (extended L2).
    Reserved,
    /// Each subcluster has a state of its own (extended L2).
    Mixed([Subcluster; SUBCLUSTERS]),
}

/// What the bitmap says about a subcluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subcluster {
    /// Left to the layer below.
    Absent,
    /// Reads as zeros.
    Zero,
    /// Stored.
    Stored,
}

/// An image as it shall be written.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its file name, to which the data file's name is relative too.
    pub name: String,
    /// 2 or 3.
    pub version: u32,
    /// log2 of the cluster size.
    pub cluster_bits: u32,
    /// Bytes that the guest sees.
    pub virtual_size: u64,
    /// 16-byte L2 entries with subclusters (version 3, `cluster_bits` from 14).
    pub extended_l2: bool,
    /// Compressed clusters are zstd, not deflate (version 3).
    pub zstd: bool,
    /// Name of the backing file, and its format.
    pub backing: Option<(String, Option<String>)>,
    /// Name of an external data file (version 3).
    pub data_file: Option<String>,
    /// 0 none, 1 AES, 2 LUKS; nothing is encrypted.
    pub crypt_method: u32,
    /// More bits for `incompatible_features`.
    pub incompatible_features: u64,
    /// Internal snapshots: their table is there, with nothing in them.
    pub snapshots: u32,
    /// 0: clusters and L2 tables lie in the file in guest order; otherwise the seed of another order.
    pub scatter: u64,
    /// Tells the content of this image from that of others.
    pub mark: u8,
    /// Clusters by number. Those beyond the virtual size are written as for a saved VM state.
    pub clusters: BTreeMap<u64, Cluster>,
}

impl Image {
    /// An empty version 3 image with clusters of 64 KiB.
    pub fn new(name: &str, virtual_size: u64) -> Self {
        Image {
            name: name.to_owned(),
            version: 3,
            cluster_bits: 16,
            virtual_size,
            extended_l2: false,
            zstd: false,
            backing: None,
            data_file: None,
            crypt_method: 0,
            incompatible_features: 0,
            snapshots: 0,
            scatter: 0,
            mark: 1,
            clusters: BTreeMap::new(),
        }
    }

    /// With another cluster size.
    #[must_use]
    pub fn cluster_bits(mut self, cluster_bits: u32) -> Self {
        self.cluster_bits = cluster_bits;
        self
    }

    /// With a backing file.
    #[must_use]
    pub fn over(mut self, name: &str, format: Option<&str>) -> Self {
        self.backing = Some((name.to_owned(), format.map(str::to_owned)));
        self
    }

    /// Gives a cluster a state.
    pub fn set(&mut self, cluster: u64, state: Cluster) -> &mut Self {
        self.clusters.insert(cluster, state);
        self
    }

    /// Bytes of a cluster.
    pub fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Clusters that the virtual size needs.
    pub fn cluster_count(&self) -> u64 {
        self.virtual_size.div_ceil(self.cluster_size())
    }

    /// What the guest reads, over a backing file whose guest reads `below`.
    pub fn truth(&self, below: &[u8]) -> Vec<u8> {
        let mut truth = below.to_vec();
        truth.resize(to_usize(self.virtual_size / 512 * 512), 0);
        for (&number, cluster) in &self.clusters {
            let parts = to_usize(self.cluster_size()) / SUBCLUSTERS;
            for part in 0..SUBCLUSTERS {
                let start = to_usize(number * self.cluster_size()) + part * parts;
                let end = (start + parts).min(truth.len());
                if start < end {
                    match cluster.part(part) {
                        Subcluster::Absent => {}
                        Subcluster::Zero => truth[start..end].fill(0),
                        Subcluster::Stored => content::fill(&mut truth[start..end], start as u64, self.mark),
                    }
                }
            }
        }
        truth
    }

    /// Writes the image, and its data file if it has one, into `directory`; gives the path of the image.
    pub fn write_to(&self, directory: &Path) -> io::Result<PathBuf> {
        self.build().write_to(directory)
    }
}

impl Cluster {
    /// What a guest reads from the 32nd part number `part`.
    fn part(&self, part: usize) -> Subcluster {
        match self {
            Cluster::Data | Cluster::Compressed => Subcluster::Stored,
            Cluster::Zero | Cluster::PreallocatedZero => Subcluster::Zero,
            Cluster::Reserved => Subcluster::Absent,
            Cluster::Mixed(parts) => parts[part],
        }
    }
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
