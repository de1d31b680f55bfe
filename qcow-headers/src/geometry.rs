//! What a header means, once it is found sound: the sizes and rules that the walk through the tables needs.

use std::ops::Range;

use extents::extent::stored::Compression;
use extents::failure::Failure;

use crate::features;
use crate::header::{Header, incompatible};

/// Cluster sizes from 512 bytes to 2 MiB: the format says at least 9, QEMU at most 21.
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// Extended L2 entries need subclusters of at least a sector.
const MIN_EXTENDED_CLUSTER_BITS: u32 = 14;
/// log2 of the subclusters in a cluster.
const SUBCLUSTER_BITS: u32 = 5;
/// Entries of the largest L1 table, 32 MiB, that QEMU opens.
const MAX_L1_ENTRIES: u32 = 4 << 20;
/// Bytes of the longest name of a backing file.
const MAX_BACKING_NAME: u32 = 1023;

/// Sizes and rules of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Bytes that the guest sees: a multiple of 512, rounded down as QEMU does.
    pub(crate) virtual_size: u64,
    /// log2 of the cluster size.
    pub(crate) cluster_bits: u32,
    /// Whether L2 entries have 16 bytes and clusters 32 subclusters.
    pub(crate) extended_l2: bool,
    /// Whether bit 0 of an L2 entry says that the cluster reads as zeros; version 2 does not know it.
    pub(crate) zero_flag: bool,
    /// Whether guest data lies in another file, at the guest's offsets.
    pub(crate) external_data_file: bool,
    /// How compressed clusters are compressed.
    pub(crate) compression: Compression,
    /// File offset of the L1 table.
    pub(crate) l1_offset: u64,
    /// Entries that the L1 table has.
    pub(crate) l1_size: u32,
    /// Metadata that no L2 table may overlap: name, and file bytes. The first cluster is not among it: no offset but 0,
    /// which means that there is no table, is aligned and lies there.
    pub(crate) metadata: Vec<(&'static str, Range<u64>)>,
}

impl Geometry {
    /// Judges a header. What is unknown is status 4, what contradicts the format is status 3.
    pub(crate) fn new(header: &Header) -> Result<Self, Failure> {
        features::check(header)?;
        let cluster_bits = header.cluster_bits;
        let extended_l2 = header.incompatible_features & incompatible::EXTENDED_L2 != 0;
        if !CLUSTER_BITS.contains(&cluster_bits) {
            return Err(wrong("cluster_bits", cluster_bits, "9 to 21"));
        }
        if extended_l2 && cluster_bits < MIN_EXTENDED_CLUSTER_BITS {
            return Err(wrong("cluster_bits with extended L2 entries", cluster_bits, "14 to 21"));
        }
        let cluster_size = 1_u64 << cluster_bits;
        if u64::from(header.header_length) > cluster_size
            || (header.version == 3 && header.header_length < 104)
        {
            let expected = format!("104 to {cluster_size}");
            return Err(wrong("header_length", header.header_length, &expected));
        }
        check_backing_name(header, cluster_size)?;
        let l1_bytes = u64::from(header.l1_size) * 8;
        let clusters = u64::from(header.refcount_table_clusters);
        let range = |offset: u64, length: u64| offset..offset.saturating_add(length);
        let geometry = Geometry {
            virtual_size: header.size / 512 * 512,
            cluster_bits,
            extended_l2,
            zero_flag: header.version > 2,
            external_data_file: header.incompatible_features & incompatible::EXTERNAL_DATA_FILE != 0,
            compression: features::compression(header)?,
            l1_offset: header.l1_table_offset,
            l1_size: header.l1_size,
            metadata: vec![
                ("the L1 table", range(header.l1_table_offset, l1_bytes)),
                ("the refcount table", range(header.refcount_table_offset, clusters * cluster_size)),
            ],
        };
        geometry.check_l1()?;
        Ok(geometry)
    }

    fn check_l1(&self) -> Result<(), Failure> {
        if self.l1_size > MAX_L1_ENTRIES {
            return Err(wrong("l1_size", self.l1_size, &format!("at most {MAX_L1_ENTRIES}")));
        }
        if u64::from(self.l1_size) < self.l1_entries() {
            return Err(Failure::damaged(format!(
                "the L1 table is too small: found {} entries, expected {} for {} bytes",
                self.l1_size,
                self.l1_entries(),
                self.virtual_size
            )));
        }
        if self.l1_size > 0
            && (self.l1_offset < self.cluster_size() || !self.l1_offset.is_multiple_of(self.cluster_size()))
        {
            return Err(Failure::damaged(format!(
                "the L1 table is misplaced: found it at byte {}, expected a multiple of {} after the header",
                self.l1_offset,
                self.cluster_size()
            )));
        }
        Ok(())
    }

    /// Bytes of a cluster, and of an L2 table.
    pub(crate) fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// log2 of the smallest unit that can be allocated: subcluster or cluster.
    pub(crate) fn unit_bits(&self) -> u32 {
        if self.extended_l2 { self.cluster_bits - SUBCLUSTER_BITS } else { self.cluster_bits }
    }

    /// Bytes of an L2 entry.
    pub(crate) fn l2_entry_size(&self) -> u64 {
        if self.extended_l2 { 16 } else { 8 }
    }

    /// log2 of the guest bytes that an L2 table, or an L1 entry, stands for: at most 39.
    pub(crate) fn l1_entry_bits(&self) -> u32 {
        2 * self.cluster_bits - self.l2_entry_size().trailing_zeros()
    }

    /// L1 entries that the virtual size needs; those after them belong to a saved VM state.
    pub(crate) fn l1_entries(&self) -> u64 {
        self.virtual_size.div_ceil(1 << self.l1_entry_bits())
    }
}

fn wrong(what: &str, found: u32, expected: &str) -> Failure {
    Failure::damaged(format!("{what} is wrong: found {found}, expected {expected}"))
}

fn check_backing_name(header: &Header, cluster_size: u64) -> Result<(), Failure> {
    let (offset, size) = (header.backing_file_offset, header.backing_file_size);
    if offset == 0 {
        return Ok(());
    }
    if offset < u64::from(header.header_length) || offset > cluster_size {
        return Err(Failure::damaged(format!(
            "the name of the backing file is misplaced: found it at byte {offset}, expected it between {} and \
             {cluster_size}",
            header.header_length
        )));
    }
    let room = u64::from(MAX_BACKING_NAME).min(cluster_size - offset);
    if u64::from(size) > room {
        return Err(Failure::damaged(format!(
            "the name of the backing file is too long: found {size} bytes, expected at most {room}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::HEADER_BYTES;
    use image_builders::qcow2::Image;

    /// A sound header, changed.
    fn judged(change: impl Fn(&mut Header)) -> Result<Geometry, Failure> {
        let image = Image::new("a", 100 << 20).build();
        let mut header = Header::parse(&image.bytes[..HEADER_BYTES])?;
        change(&mut header);
        Geometry::new(&header)
    }

    fn refused(change: impl Fn(&mut Header), sentence: &str) {
        let failure = judged(change).unwrap_err();
        assert!(failure.to_string().contains(sentence), "{failure}");
        assert_eq!(failure.status() as u8, 3, "{failure}");
    }

    #[test]
    fn the_virtual_size_is_rounded_down_to_sectors() {
        assert_eq!(judged(|header| header.size = 65636).unwrap().virtual_size, 65536);
        assert_eq!(judged(|header| header.size = 511).unwrap().l1_entries(), 0);
    }

    #[test]
    fn an_l1_entry_stands_for_a_table_full_of_clusters() {
        let standard = judged(|_| {}).unwrap();
        assert_eq!((standard.l1_entry_bits(), standard.unit_bits()), (29, 16));
        let extended = judged(|header| header.incompatible_features = incompatible::EXTENDED_L2).unwrap();
        assert_eq!((extended.l1_entry_bits(), extended.unit_bits()), (28, 11));
    }

    #[test]
    fn what_the_format_just_allows_is_no_reason_to_refuse() {
        for change in [
            |h: &mut Header| (h.cluster_bits, h.l1_size) = (9, 4 << 20),
            |h: &mut Header| (h.cluster_bits, h.l1_table_offset) = (21, 2 << 20),
            |h: &mut Header| {
                (h.cluster_bits, h.incompatible_features, h.l1_size) = (14, incompatible::EXTENDED_L2, 7);
            },
            |h: &mut Header| (h.size, h.l1_size, h.l1_table_offset) = (0, 0, 0),
            |h: &mut Header| h.header_length = 104,
            |h: &mut Header| h.header_length = 65536,
            |h: &mut Header| (h.backing_file_offset, h.backing_file_size) = (112, 1023),
            |h: &mut Header| (h.backing_file_offset, h.backing_file_size) = (65530, 6),
            |h: &mut Header| (h.backing_file_offset, h.backing_file_size) = (65536, 0),
        ] {
            judged(change).unwrap();
        }
    }

    #[test]
    fn what_contradicts_the_format_is_status_3() {
        refused(|h| h.cluster_bits = 8, "found 8");
        refused(|h| h.cluster_bits = 22, "found 22");
        refused(
            |h| (h.cluster_bits, h.incompatible_features) = (13, incompatible::EXTENDED_L2),
            "found 13, expected 14",
        );
        refused(|h| h.header_length = 103, "header_length");
        refused(|h| h.header_length = 65537, "header_length");
        refused(|h| h.size = u64::MAX, "too small");
        refused(|h| h.l1_size = 0, "found 0 entries, expected 1");
        refused(|h| h.l1_size = (4 << 20) + 1, "l1_size");
        refused(|h| h.l1_table_offset = 0, "misplaced");
        refused(|h| h.l1_table_offset += 512, "misplaced");
        refused(|h| h.backing_file_offset = 111, "between 112 and 65536");
        refused(|h| h.backing_file_offset = 65537, "between 112 and 65536");
        refused(|h| (h.backing_file_offset, h.backing_file_size) = (200, 1024), "at most 1023");
        refused(|h| (h.backing_file_offset, h.backing_file_size) = (65530, 7), "at most 6");
    }
}
