//! Standard L2 entries, 8 bytes a cluster: where the data of each cluster is.

use extents::extent::Content;
use extents::extent::stored::{CompressedCluster, Stored};

use crate::geometry::Geometry;
use crate::l1_table::{COPIED, OFFSET_MASK};
use crate::run_length::{Progression, words};

/// The cluster is compressed.
pub(crate) const COMPRESSED: u64 = 1 << 62;
/// The cluster reads as zeros. Standard entries of version 3 only.
pub(crate) const ZERO: u64 = 1;
/// Bits 1 to 8 and 56 to 61, which nobody sets. QEMU ignores them when it reads, but in a table that something else was written
/// over they tell, and `qemu-img check` counts them as errors.
const RESERVED: u64 = 0x3F << 56 | 0x1FE;

/// A guest range in which all is alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Guest bytes: whole clusters or subclusters, at least one.
    pub(crate) length: u64,
    /// Where they are; offsets belong to the first of them.
    pub(crate) content: Content,
    /// File offset of the whole clusters that the run takes, whether or not there is data in them; none where it takes none,
    /// or goes on in a cluster that an earlier run began with.
    pub(crate) place: Option<u64>,
}

/// What is wrong with an entry, without saying which: `found X, expected Y`.
pub(crate) type Complaint = String;

/// The longest run that the first of these entries begins; none when there are no entries.
///
/// The order of the tests is that of QEMU's `qcow2_get_cluster_type`.
pub(crate) fn first_run(entries: &[u8], geometry: &Geometry) -> Result<Option<Run>, Complaint> {
    let Some(entry) = words(entries).next() else { return Ok(None) };
    let offset = entry & OFFSET_MASK;
    let content = if entry & COMPRESSED != 0 {
        let content = Content::Data(Stored::Compressed(compressed(entry, geometry)?));
        return Ok(Some(Run { length: geometry.cluster_size(), content, place: None }));
    } else if entry & ZERO != 0 {
        if !geometry.zero_flag {
            return Err("found the zero flag, expected it clear in a version 2 image".to_owned());
        }
        Content::Zero
    } else if is_stored(entry, geometry) {
        Content::at(offset)
    } else {
        Content::Absent
    };
    check_reserved(entry, RESERVED)?;
    check_aligned(offset, geometry)?;
    let has_place = offset != 0 || matches!(content, Content::Data(_));
    let step = if has_place { geometry.cluster_size() } else { 0 };
    let mask = if content == Content::Absent { !COPIED | data_file_flag(geometry) } else { !COPIED };
    let alike = Progression { mask, first: entry & mask, step };
    Ok(Some(Run {
        length: (alike.count(words(entries)) as u64) << geometry.cluster_bits,
        content,
        place: has_place.then_some(offset),
    }))
}

/// Refuses an entry in which bits are set that have no meaning.
pub(crate) fn check_reserved(entry: u64, reserved: u64) -> Result<(), Complaint> {
    if entry & reserved != 0 {
        return Err(format!(
            "found {entry:#018x}, expected none of the reserved bits {:#018x}",
            entry & reserved
        ));
    }
    Ok(())
}

/// Whether a cluster has a place in the file that holds the data. The first place in an external data file is 0,
/// so that there [`COPIED`] decides it.
pub(crate) fn is_stored(entry: u64, geometry: &Geometry) -> bool {
    entry & (OFFSET_MASK | data_file_flag(geometry)) != 0
}

fn data_file_flag(geometry: &Geometry) -> u64 {
    if geometry.external_data_file { COPIED } else { 0 }
}

/// Refuses a data cluster that begins inside a cluster of the file.
pub(crate) fn check_aligned(offset: u64, geometry: &Geometry) -> Result<(), Complaint> {
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
pub(crate) fn compressed(entry: u64, geometry: &Geometry) -> Result<CompressedCluster, Complaint> {
    if geometry.external_data_file {
        return Err("found a compressed cluster, expected none with an external data file".to_owned());
    }
    check_reserved(entry, COPIED)?;
    let offset_bits = 62 - (geometry.cluster_bits - 8);
    let offset = entry & ((1 << offset_bits) - 1);
    let more_sectors = (entry & (COMPRESSED - 1)) >> offset_bits;
    let host_length = (more_sectors + 1) * 512 - offset % 512;
    Ok(CompressedCluster {
        offset,
        host_length,
        cluster_size: 1 << geometry.cluster_bits,
        skip: 0,
        compression: geometry.compression,
    })
}

/// Bytes that a compressed cluster takes at least: it ends with a whole sector, of which there may be the beginning only.
pub(crate) fn certain_length(cluster: &CompressedCluster) -> u64 {
    cluster.host_length.max(512) - 511
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{HEADER_BYTES, Header};
    use extents::extent::stored::Compression;
    use image_builders::qcow2::Image;

    const CLUSTER: u64 = 65536;

    fn geometry(version: u32, data_file: bool) -> Geometry {
        let mut image = Image::new("a", 1 << 30);
        image.version = version;
        image.data_file = data_file.then(|| "a.data".to_owned());
        Geometry::new(&Header::parse(&image.build().bytes[..HEADER_BYTES]).unwrap()).unwrap()
    }

    fn table(entries: &[u64]) -> Vec<u8> {
        entries.iter().flat_map(|entry| entry.to_be_bytes()).collect()
    }

    fn run(entries: &[u64], geometry: &Geometry) -> Result<(u64, Content), Complaint> {
        first_run(&table(entries), geometry)
            .map(|run| run.map(|run| (run.length / CLUSTER, run.content)).unwrap())
    }

    /// The compressed cluster whose bytes begin at `offset` and end within the `more`th sector after that.
    fn descriptor(offset: u64, more: u64) -> u64 {
        COMPRESSED | more << 54 | offset
    }

    #[test]
    fn an_entry_means_what_the_specification_says() {
        let version_3 = geometry(3, false);
        for (entry, content) in [
            (0, Content::Absent),
            (COPIED, Content::Absent),
            (ZERO, Content::Zero),
            (ZERO | COPIED | (3 * CLUSTER), Content::Zero),
            (3 * CLUSTER, Content::at(3 * CLUSTER)),
            ((3 * CLUSTER) | COPIED, Content::at(3 * CLUSTER)),
        ] {
            assert_eq!(run(&[entry], &version_3), Ok((1, content)), "{entry:#x}");
            if entry & ZERO == 0 {
                assert_eq!(run(&[entry], &geometry(2, false)), Ok((1, content)), "version 2: {entry:#x}");
            }
        }
    }

    #[test]
    fn with_a_data_file_the_copied_flag_tells_offset_0_from_nothing() {
        let geometry = geometry(3, true);
        assert_eq!(run(&[COPIED], &geometry), Ok((1, Content::at(0))));
        assert_eq!(run(&[0, COPIED], &geometry), Ok((1, Content::Absent)));
        assert_eq!(run(&[COPIED | ZERO], &geometry), Ok((1, Content::Zero)));
        assert!(run(&[COMPRESSED], &geometry).unwrap_err().contains("compressed"));
    }

    #[test]
    fn a_descriptor_gives_the_bytes_from_its_offset_to_the_end_of_its_last_sector() {
        let expected = CompressedCluster {
            offset: 5000,
            host_length: 120 + 5 * 512,
            cluster_size: 65536,
            skip: 0,
            compression: Compression::Zlib,
        };
        let entry = descriptor(5000, 5);
        assert_eq!(
            run(&[entry, entry], &geometry(3, false)),
            Ok((1, Content::Data(Stored::Compressed(expected))))
        );
        // What is the zero flag elsewhere belongs to the descriptor.
        assert!(matches!(
            run(&[entry | ZERO], &geometry(2, false)),
            Ok((1, Content::Data(Stored::Compressed(_))))
        ));
    }

    #[test]
    fn damaged_entries_are_refused() {
        let version_3 = geometry(3, false);
        assert!(run(&[512], &version_3).unwrap_err().contains("byte 512, expected a multiple of 65536"));
        assert!(run(&[ZERO | 512], &version_3).is_err());
        assert!(run(&[ZERO], &geometry(2, false)).unwrap_err().contains("version 2"));
        for bit in (1..9).chain(56..62) {
            for entry in [0, COPIED, ZERO, 3 * CLUSTER, (3 * CLUSTER) | COPIED | ZERO] {
                let complaint = run(&[entry | 1 << bit], &version_3).unwrap_err();
                assert!(complaint.contains("reserved bits"), "{complaint}");
            }
        }
        assert!(run(&[descriptor(5000, 5) | COPIED], &version_3).unwrap_err().contains("reserved bits"));
    }

    #[test]
    fn what_has_a_place_says_so_whether_or_not_there_is_data() {
        let place =
            |entry, geometry: &Geometry| first_run(&table(&[entry]), geometry).unwrap().unwrap().place;
        let version_3 = geometry(3, false);
        assert_eq!(place(3 * CLUSTER, &version_3), Some(3 * CLUSTER));
        assert_eq!(place((3 * CLUSTER) | ZERO, &version_3), Some(3 * CLUSTER));
        assert_eq!((place(COPIED, &version_3), place(ZERO, &version_3)), (None, None));
        assert_eq!(place(COPIED, &geometry(3, true)), Some(0));
        assert_eq!(place(COPIED | ZERO, &geometry(3, true)), None);
    }

    #[test]
    fn a_run_ends_where_the_next_entry_does_not_go_on() {
        let geometry = geometry(3, false);
        let data = |cluster: u64| (cluster * CLUSTER) | COPIED;
        let clusters = |entries: &[u64]| run(entries, &geometry).map(|(clusters, _)| clusters);
        assert_eq!(clusters(&[data(5), 6 * CLUSTER, data(7), data(9)]), Ok(3));
        assert_eq!(clusters(&[data(5), data(6) | ZERO]), Ok(1));
        assert_eq!(clusters(&[data(5), data(6) | COMPRESSED]), Ok(1));
        assert_eq!(clusters(&[data(5), data(6) + 512]), Ok(1));
        assert_eq!(clusters(&[0, COPIED, ZERO]), Ok(2));
        assert_eq!(clusters(&[ZERO, ZERO | data(3), data(4)]), Ok(1));
        assert_eq!(clusters(&[ZERO | data(3), ZERO | data(4), data(5)]), Ok(2));
        assert_eq!(clusters(&[0, 2]), Ok(1));
        assert_eq!(clusters(&[ZERO, ZERO | 512]), Ok(1));
        assert_eq!(clusters(&[ZERO, ZERO | COMPRESSED]), Ok(1));
        assert_eq!(first_run(&[], &geometry), Ok(None));
    }
}
