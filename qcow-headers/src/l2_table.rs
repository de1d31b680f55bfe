//! Standard L2 entries, 8 bytes a cluster: where the data of each cluster is.

use extents::piece::{CompressedCluster, Content};

use crate::geometry::Geometry;
use crate::l1_table::OFFSET_MASK;
use crate::run_length::{Progression, words};

/// The cluster's data is stored and is used by nobody else; with an external data file, it is stored at all.
pub const COPIED: u64 = 1 << 63;
/// The cluster is compressed.
pub const COMPRESSED: u64 = 1 << 62;
/// The cluster reads as zeros. Standard entries of version 3 only.
pub const ZERO: u64 = 1;

/// A guest range in which all is alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Guest bytes: whole clusters or subclusters.
    pub length: u64,
    /// Where they are; offsets belong to the first of them.
    pub content: Content,
}

/// What is wrong with an entry, without saying which: `found X, expected Y`.
pub type Complaint = String;

/// The longest run that the first of these entries begins; none when there are no entries.
///
/// The order of the tests is that of QEMU's `qcow2_get_cluster_type`.
pub fn first_run(entries: &[u8], geometry: &Geometry) -> Result<Option<Run>, Complaint> {
    let Some(entry) = words(entries).next() else { return Ok(None) };
    let offset = entry & OFFSET_MASK;
    // The flags of all entries that go on as this one began, and what they add to it.
    let (content, mask, step) = if entry & COMPRESSED != 0 {
        let content = Content::Compressed(compressed(entry, geometry)?);
        return Ok(Some(Run { length: geometry.cluster_size(), content }));
    } else if entry & ZERO != 0 {
        if !geometry.zero_flag {
            return Err("found the zero flag, expected it clear in a version 2 image".to_owned());
        }
        check_aligned(offset, geometry)?;
        return Ok(Some(zeros(entries, geometry)));
    } else if is_stored(entry, geometry) {
        check_aligned(offset, geometry)?;
        (Content::Data { offset }, COMPRESSED | ZERO | OFFSET_MASK, geometry.cluster_size())
    } else {
        (Content::Absent, COMPRESSED | ZERO | OFFSET_MASK | data_file_flag(geometry), 0)
    };
    let alike = Progression { mask, first: entry & mask, step };
    Ok(Some(run(alike, entries, content, geometry)))
}

/// A run of zeros: the clusters that some of them have at hand decide nothing, as long as they are aligned.
fn zeros(entries: &[u8], geometry: &Geometry) -> Run {
    let misaligned = OFFSET_MASK & (geometry.cluster_size() - 1);
    let alike = Progression { mask: COMPRESSED | ZERO | misaligned, first: ZERO, step: 0 };
    run(alike, entries, Content::Zero, geometry)
}

fn run(alike: Progression, entries: &[u8], content: Content, geometry: &Geometry) -> Run {
    Run { length: (alike.count(words(entries)) as u64) << geometry.cluster_bits, content }
}

/// Whether a cluster has a place in the file that holds the data. The first place in an external data file is 0,
/// so that there [`COPIED`] decides it.
pub fn is_stored(entry: u64, geometry: &Geometry) -> bool {
    entry & (OFFSET_MASK | data_file_flag(geometry)) != 0
}

fn data_file_flag(geometry: &Geometry) -> u64 {
    if geometry.external_data_file { COPIED } else { 0 }
}

/// Refuses a data cluster that begins inside a cluster of the file.
pub fn check_aligned(offset: u64, geometry: &Geometry) -> Result<(), Complaint> {
    if offset & (geometry.cluster_size() - 1) != 0 {
        return Err(format!(
            "found a cluster at byte {offset}, expected a multiple of {}",
            geometry.cluster_size()
        ));
    }
    Ok(())
}

/// The descriptor of a compressed cluster: a byte offset, and above it the 512-byte sectors that follow the one it
/// lies in.
pub fn compressed(entry: u64, geometry: &Geometry) -> Result<CompressedCluster, Complaint> {
    if geometry.external_data_file {
        return Err("found a compressed cluster, expected none with an external data file".to_owned());
    }
    let offset_bits = 62 - (geometry.cluster_bits - 8);
    let offset = entry & ((1 << offset_bits) - 1);
    let more_sectors = (entry & (COMPRESSED - 1)) >> offset_bits;
    let host_length = (more_sectors + 1) * 512 - offset % 512;
    Ok(CompressedCluster {
        offset,
        // At most 2^13 sectors.
        host_length: u32::try_from(host_length).unwrap_or(u32::MAX),
        cluster_size: 1 << geometry.cluster_bits,
        skip: 0,
        compression: geometry.compression,
    })
}
