//! Extended L2 entries, 16 bytes a cluster: an entry as in a standard table, and a bitmap that says for each of 32
//! subclusters whether it is stored, reads as zeros, or is left to the layer below.

use extents::extent::Content;
use extents::extent::stored::Stored;

use crate::geometry::Geometry;
use crate::l1_table::{COPIED, OFFSET_MASK};
use crate::l2_table::{COMPRESSED, Complaint, Run, check_aligned, check_reserved, compressed, is_stored};
use crate::run_length::{Progression, words};

const SUBCLUSTERS: u64 = 32;
/// Bits 0 to 8 and 56 to 61 of the entry: bit 0 is no zero flag here.
const RESERVED: u64 = 0x3F << 56 | 0x1FF;
/// The lower half of the bitmap: subcluster n is stored if bit n is set.
const ALL_ALLOCATED: u64 = 0xFFFF_FFFF;
/// The upper half: subcluster n reads as zeros if bit 32 + n is set.
const ALL_ZERO: u64 = ALL_ALLOCATED << 32;

/// The longest run that begins with subcluster `from` (0 to 31) of the first of these entries; none when there are
/// no entries. It ends with the cluster unless whole clusters go on in the same way.
pub(crate) fn first_run(entries: &[u8], from: u64, geometry: &Geometry) -> Result<Option<Run>, Complaint> {
    let mut pair = words(entries);
    let (Some(entry), Some(bitmap)) = (pair.next(), pair.next()) else { return Ok(None) };
    if entry & COMPRESSED != 0 {
        check_reserved(bitmap, u64::MAX)?;
        let skip = from << geometry.unit_bits();
        let mut cluster = compressed(entry, geometry)?;
        cluster.skip = skip;
        let length = geometry.cluster_size() - skip;
        return Ok(Some(Run { length, content: Content::Data(Stored::Compressed(cluster)), place: None }));
    }
    let offset = entry & OFFSET_MASK;
    check_reserved(entry, RESERVED)?;
    check_aligned(offset, geometry)?;
    check_bitmap(bitmap, is_stored(entry, geometry))?;
    if from == 0 && matches!(bitmap, 0 | ALL_ALLOCATED | ALL_ZERO) {
        return Ok(Some(whole_clusters(entries, offset, bitmap, geometry)));
    }
    let (subclusters, state) = alike(bitmap, from);
    let content = match state {
        State::Absent => Content::Absent,
        State::Zero => Content::Zero,
        State::Stored => Content::at(offset + (from << geometry.unit_bits())),
    };
    let place = (from == 0 && has_place(offset, bitmap)).then_some(offset);
    Ok(Some(Run { length: subclusters << geometry.unit_bits(), content, place }))
}

/// A subcluster cannot be both stored and zero, nor stored nowhere.
fn check_bitmap(bitmap: u64, stored: bool) -> Result<(), Complaint> {
    if bitmap >> 32 & bitmap != 0 {
        return Err(format!(
            "found the subcluster bitmap {bitmap:#018x}, expected no subcluster both allocated and zero"
        ));
    }
    if !stored && bitmap & ALL_ALLOCATED != 0 {
        return Err(format!(
            "found the subcluster bitmap {bitmap:#018x}, expected none allocated in a cluster without a host offset"
        ));
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Zero,
    Stored,
}

/// The state of subcluster `from`, and how many subclusters from there on to the end of the cluster share it.
fn alike(bitmap: u64, from: u64) -> (u64, State) {
    let stored = (bitmap & ALL_ALLOCATED) >> from;
    let zero = (bitmap & ALL_ZERO) >> (32 + from);
    let (count, state) = match (stored & 1, zero & 1) {
        (1, _) => (stored.trailing_ones(), State::Stored),
        (_, 1) => (zero.trailing_ones(), State::Zero),
        _ => ((stored | zero).trailing_zeros(), State::Absent),
    };
    (u64::from(count).min(SUBCLUSTERS - from), state)
}

/// Whether the file has a cluster for it. The first in an external data file is at offset 0.
fn has_place(offset: u64, bitmap: u64) -> bool {
    offset != 0 || bitmap & ALL_ALLOCATED != 0
}

/// The clusters from the first on that have this bitmap, whose subclusters are all alike, and that go on as it began: they lie
/// together, or have no place.
fn whole_clusters(entries: &[u8], offset: u64, bitmap: u64, geometry: &Geometry) -> Run {
    let content = match bitmap {
        ALL_ALLOCATED => Content::at(offset),
        ALL_ZERO => Content::Zero,
        _ => Content::Absent,
    };
    let place = has_place(offset, bitmap).then_some(offset);
    let step = if place.is_some() { geometry.cluster_size() } else { 0 };
    let alike = Progression { mask: !COPIED, first: offset, step };
    let bitmaps = words(entries).skip(1).step_by(2).take_while(|other| *other == bitmap);
    let first_words = words(entries).step_by(2).zip(bitmaps).map(|(word, _)| word);
    Run { length: (alike.count(first_words) as u64) << geometry.cluster_bits, content, place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{HEADER_BYTES, Header};
    use image_builders::qcow2::Image;

    const CLUSTER: u64 = 65536;
    const UNIT: u64 = CLUSTER / 32;
    const COPIED: u64 = 1 << 63;

    fn geometry(data_file: bool) -> Geometry {
        let mut image = Image::new("a", 1 << 30);
        image.extended_l2 = true;
        image.data_file = data_file.then(|| "a.data".to_owned());
        Geometry::new(&Header::parse(&image.build().bytes[..HEADER_BYTES]).unwrap()).unwrap()
    }

    /// Entry and bitmap, over and over.
    fn run(words: &[u64], from: u64) -> Result<(u64, Content), Complaint> {
        let table: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        first_run(&table, from, &geometry(false)).map(|run| run.map(|run| (run.length, run.content)).unwrap())
    }

    fn data(offset: u64) -> Content {
        Content::at(offset)
    }

    #[test]
    fn a_bitmap_means_what_the_specification_says() {
        let place = (3 * CLUSTER) | COPIED;
        // Subclusters 0 and 1 stored, 2 to 4 zero, the others absent.
        let mixed = 0b11 | 0b11100 << 32;
        for (words, from, expected) in [
            ([place, ALL_ALLOCATED], 0, (CLUSTER, data(3 * CLUSTER))),
            ([place, ALL_ALLOCATED], 31, (UNIT, data(3 * CLUSTER + 31 * UNIT))),
            ([place, ALL_ZERO], 0, (CLUSTER, Content::Zero)),
            ([place, 0], 0, (CLUSTER, Content::Absent)),
            ([0, ALL_ZERO], 0, (CLUSTER, Content::Zero)),
            ([0, 0], 0, (CLUSTER, Content::Absent)),
            ([0, 1 << 63], 0, (31 * UNIT, Content::Absent)),
            ([0, 1 << 63], 31, (UNIT, Content::Zero)),
            ([place, mixed], 0, (2 * UNIT, data(3 * CLUSTER))),
            ([place, mixed], 1, (UNIT, data(3 * CLUSTER + UNIT))),
            ([place, mixed], 2, (3 * UNIT, Content::Zero)),
            ([place, mixed], 5, (27 * UNIT, Content::Absent)),
        ] {
            assert_eq!(run(&words, from), Ok(expected), "{words:x?} from {from}");
        }
    }

    #[test]
    fn a_compressed_cluster_has_no_bitmap() {
        let entry = COMPRESSED | 1 << 54 | 0x400;
        assert!(run(&[entry, 1 << 63], 3).unwrap_err().contains("reserved bits"));
        let (length, content) = run(&[entry, 0], 3).unwrap();
        let Content::Data(Stored::Compressed(cluster)) = content else { panic!("{content:?}") };
        assert_eq!((length, cluster.offset, cluster.skip), (29 * UNIT, 0x400, 3 * 2048));
    }

    #[test]
    fn contradicting_bitmaps_are_refused() {
        let place = 3 * CLUSTER;
        assert!(run(&[place, 1 | 1 << 32], 5).unwrap_err().contains("both allocated and zero"));
        assert!(run(&[0, 1 << 31], 0).unwrap_err().contains("without a host offset"));
        assert!(run(&[place + 512, 0], 0).unwrap_err().contains("multiple of 65536"));
        for bit in (0..9).chain(56..62) {
            let complaint = run(&[place | 1 << bit, ALL_ALLOCATED], 0).unwrap_err();
            assert!(complaint.contains("reserved bits"), "{complaint}");
        }
    }

    #[test]
    fn a_cluster_has_its_place_once_whatever_is_stored_in_it() {
        let place = |words: [u64; 2], from| {
            let table: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            first_run(&table, from, &geometry(false)).unwrap().unwrap().place
        };
        for bitmap in [0, 1, 1 << 31, 1 << 32, ALL_ALLOCATED, ALL_ZERO] {
            assert_eq!(place([3 * CLUSTER, bitmap], 0), Some(3 * CLUSTER));
            assert_eq!(place([3 * CLUSTER, bitmap], 2), None);
        }
        assert_eq!((place([0, 0], 0), place([COPIED, ALL_ZERO], 0)), (None, None));
    }

    #[test]
    fn with_a_data_file_the_first_cluster_lies_at_offset_0() {
        let table: Vec<u8> = [COPIED, 1].iter().flat_map(|word: &u64| word.to_be_bytes()).collect();
        let run = first_run(&table, 0, &geometry(true)).unwrap().unwrap();
        assert_eq!((run.length, run.content), (UNIT, data(0)));
    }

    #[test]
    fn whole_clusters_go_on_as_one_run() {
        let stored = |cluster: u64| [(cluster * CLUSTER) | COPIED, ALL_ALLOCATED];
        let clusters = |words: &[[u64; 2]]| run(words.as_flattened(), 0).map(|(length, _)| length / CLUSTER);
        assert_eq!(clusters(&[stored(5), stored(6), stored(8)]), Ok(2));
        assert_eq!(clusters(&[stored(5), [6 * CLUSTER, 1]]), Ok(1));
        assert_eq!(clusters(&[[0, 0], [0, 0], [0, ALL_ZERO]]), Ok(2));
        assert_eq!(clusters(&[[0, ALL_ZERO], [0, ALL_ZERO], [COMPRESSED, ALL_ZERO]]), Ok(2));
        assert_eq!(clusters(&[[0, 0], [COMPRESSED, 0]]), Ok(1));
        assert_eq!(clusters(&[[5 * CLUSTER, 0], [6 * CLUSTER + 512, 0]]), Ok(1));
    }
}
