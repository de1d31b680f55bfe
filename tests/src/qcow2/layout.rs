//! Where everything lies in the file: first cluster, refcount table, snapshot table, L1 table, then L2 tables and
//! clusters in any order, and at last the compressed clusters, packed, so that the file may end inside a sector.
//!
//! The refcount table is empty: nobody who only reads looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::content::{GARBAGE, compress, fill};
use super::random::Dice;
use super::{Cluster, Image, SUBCLUSTERS, Subcluster, header, to_usize};

const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;

/// File offsets of the metadata.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Refcount table, one cluster.
    pub refcount_table: u64,
    /// Snapshot table; 0 when there are no snapshots.
    pub snapshot_table: u64,
    /// L1 table.
    pub l1: u64,
    /// Entries of the L1 table.
    pub l1_size: u32,
    /// L2 tables by the number of their L1 entry.
    pub l2: BTreeMap<u64, u64>,
}

/// An image as bytes, ready to be damaged and written.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image.
    pub bytes: Vec<u8>,
    /// The external data file and its name.
    pub data_file: Option<(String, Vec<u8>)>,
    /// Where the metadata lies.
    pub places: Places,
    name: String,
    cluster_bits: u32,
    entry_size: u64,
}

impl Image {
    /// The image as bytes.
    pub fn build(&self) -> Built {
        let entry_size = if self.extended_l2 { 16 } else { 8 };
        let size = self.cluster_size();
        let table_entries = size / entry_size;
        let last = self.clusters.keys().next_back().map_or(0, |last| last + 1);
        let l1_size = self.cluster_count().max(last).div_ceil(table_entries);
        let snapshot_clusters = (u64::from(self.snapshots) * 64).div_ceil(size);
        let l1 = (2 + snapshot_clusters) * size;
        let mut built = Built {
            bytes: Vec::new(),
            data_file: self.data_file.clone().map(|name| (name, Vec::new())),
            places: Places {
                refcount_table: size,
                snapshot_table: if self.snapshots > 0 { 2 * size } else { 0 },
                l1,
                l1_size: u32::try_from(l1_size).unwrap_or(u32::MAX),
                l2: BTreeMap::new(),
            },
            name: self.name.clone(),
            cluster_bits: self.cluster_bits,
            entry_size,
        };
        let pool = (l1 + l1_size * 8).next_multiple_of(size);
        // Unwritten clusters before the first L2 table have to be there: the file may hold nothing else.
        built.bytes.resize(to_usize(pool), 0);
        let end = self.place_tables_and_clusters(&mut built, pool);
        self.place_compressed(&mut built, end);
        built.put(0, &header::first_cluster(self, &built.places));
        built
    }

    /// Everything that takes whole clusters; gives the file offset after it.
    fn place_tables_and_clusters(&self, built: &mut Built, pool: u64) -> u64 {
        let table_entries = self.cluster_size() / built.entry_size;
        let tables: BTreeSet<u64> = self.clusters.keys().map(|number| number / table_entries).collect();
        let clusters: Vec<u64> = self
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.has_place())
            .map(|(number, _)| *number)
            .collect();
        let mut order: Vec<usize> = (0..tables.len() + clusters.len()).collect();
        if self.scatter != 0 {
            Dice::new(self.scatter).shuffle(&mut order);
        }
        let mut places = order.iter().map(|index| pool + *index as u64 * self.cluster_size());
        for (table, place) in tables.iter().zip(&mut places) {
            built.places.l2.insert(*table, place);
            built.put_u64(built.places.l1 + table * 8, place | COPIED);
            built.put(place, &vec![0; to_usize(self.cluster_size())]);
        }
        let places: BTreeMap<u64, u64> = if self.data_file.is_some() {
            clusters.iter().map(|number| (*number, number << self.cluster_bits)).collect()
        } else {
            clusters.into_iter().zip(places).collect()
        };
        for (&number, cluster) in &self.clusters {
            if *cluster != Cluster::Compressed {
                self.place_cluster(built, number, cluster, places.get(&number).copied());
            }
        }
        pool + order.len() as u64 * self.cluster_size()
    }

    fn place_cluster(&self, built: &mut Built, number: u64, cluster: &Cluster, place: Option<u64>) {
        let mut entry = place.map_or(0, |place| place | COPIED);
        let mut bitmap = 0_u64;
        for part in 0..SUBCLUSTERS {
            bitmap |= match cluster.part(part) {
                Subcluster::Absent => 0,
                Subcluster::Zero => 1 << (part + 32),
                Subcluster::Stored => 1 << part,
            };
        }
        if self.extended_l2 {
            built.put_u64(built.l2_entry(number) + 8, bitmap);
        } else {
            assert!(!matches!(cluster, Cluster::Reserved | Cluster::Mixed(_)), "needs extended L2 entries");
            entry |= if bitmap >> 32 == 0 { 0 } else { ZERO };
        }
        built.put_u64(built.l2_entry(number), entry);
        if let Some(place) = place {
            let bytes = self.stored_bytes(number, cluster);
            match &mut built.data_file {
                Some((_, data)) => put(data, place, &bytes),
                None => built.put(place, &bytes),
            }
        }
    }

    /// What is written into the place of a cluster: nothing after the last subcluster that is stored, and nothing
    /// after the virtual size.
    fn stored_bytes(&self, number: u64, cluster: &Cluster) -> Vec<u8> {
        let part_size = to_usize(self.cluster_size()) / SUBCLUSTERS;
        let mut bytes = vec![GARBAGE; to_usize(self.cluster_size())];
        let start = number << self.cluster_bits;
        let mut end = if matches!(cluster, Cluster::Mixed(_)) { 0 } else { bytes.len() };
        for part in 0..SUBCLUSTERS {
            if cluster.part(part) == Subcluster::Stored {
                let range = part * part_size..(part + 1) * part_size;
                end = end.max(range.end);
                fill(&mut bytes[range.clone()], start + range.start as u64, self.mark);
            }
        }
        if start < self.virtual_size {
            end = end.min(to_usize(self.virtual_size - start));
        }
        bytes.truncate(end);
        bytes
    }

    fn place_compressed(&self, built: &mut Built, from: u64) {
        let offset_bits = 62 - (self.cluster_bits - 8);
        let mut offset = from;
        for (&number, cluster) in &self.clusters {
            if *cluster == Cluster::Compressed {
                let mut bytes = vec![0; to_usize(self.cluster_size())];
                fill(&mut bytes, number << self.cluster_bits, self.mark);
                // Writing to memory does not fail.
                let bytes = compress(&bytes, self.zstd).unwrap_or_default();
                let end = offset + bytes.len() as u64;
                let more_sectors = (end - 1) / 512 - offset / 512;
                built.put_u64(built.l2_entry(number), COMPRESSED | more_sectors << offset_bits | offset);
                built.put(offset, &bytes);
                offset = end;
            }
        }
    }
}

impl Cluster {
    /// Whether it takes a whole cluster of the file.
    fn has_place(&self) -> bool {
        match self {
            Cluster::Data | Cluster::PreallocatedZero | Cluster::Reserved => true,
            Cluster::Compressed | Cluster::Zero => false,
            Cluster::Mixed(parts) => parts.contains(&Subcluster::Stored),
        }
    }
}

impl Built {
    /// File offset of the L2 entry of guest cluster `number`, whose table must be there.
    pub fn l2_entry(&self, number: u64) -> u64 {
        let entries = (1 << self.cluster_bits) / self.entry_size;
        let table = self.places.l2.get(&(number / entries)).copied();
        table.map_or(u64::MAX, |table| table + number % entries * self.entry_size)
    }

    /// Writes `bytes` at file offset `offset`; the file grows where needed.
    pub fn put(&mut self, offset: u64, bytes: &[u8]) {
        put(&mut self.bytes, offset, bytes);
    }

    /// Writes a big-endian number.
    pub fn put_u64(&mut self, offset: u64, value: u64) {
        self.put(offset, &value.to_be_bytes());
    }

    /// Writes a big-endian number.
    pub fn put_u32(&mut self, offset: u64, value: u32) {
        self.put(offset, &value.to_be_bytes());
    }

    /// Writes the image, and its data file if it has one, into `directory`; gives the path of the image.
    pub fn write_to(&self, directory: &Path) -> io::Result<PathBuf> {
        if let Some((name, data)) = &self.data_file {
            std::fs::write(directory.join(name), data)?;
        }
        let path = directory.join(&self.name);
        std::fs::write(&path, &self.bytes)?;
        Ok(path)
    }
}

fn put(file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = to_usize(offset);
    if file.len() < start + bytes.len() {
        file.resize(start + bytes.len(), 0);
    }
    file[start..start + bytes.len()].copy_from_slice(bytes);
}
