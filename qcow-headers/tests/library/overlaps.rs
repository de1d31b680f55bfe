//! Entries that cannot be true: clusters that lie in metadata, in each other or outside the file, whether or not anybody
//! would read bytes there. Each image is sound but for one entry.

use extents::failure::Status;
use image_builders::qcow2::{Built, Cluster, Image};

use crate::guest::{extents, open};

const CLUSTER: u64 = 65536;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;
const ALL: u64 = 0xFFFF_FFFF;

/// Data in clusters 0 and 1, a compressed one, a preallocated zero cluster, two L2 tables, two snapshots, a refcount block.
fn image(extended_l2: bool) -> Built {
    let mut image = Image::new("image", 1 << 30);
    image.extended_l2 = extended_l2;
    image.snapshots = 2;
    image.set(0, Cluster::Data).set(1, Cluster::Data).set(2, Cluster::Compressed);
    image.set(3, if extended_l2 { Cluster::Reserved } else { Cluster::PreallocatedZero });
    image.set((1 << 29) / CLUSTER, Cluster::Data);
    let mut built = image.build();
    for clusters in [REFCOUNT_BLOCK, SNAPSHOT_L1, BITMAPS, FREE] {
        built.put(clusters + CLUSTER - 1, &[0]);
    }
    built.put_u64(built.places.refcount_table, REFCOUNT_BLOCK);
    // The second snapshot has an L1 table; that of the first is nonsense, which hurts nobody.
    let table = built.places.snapshot_table;
    built.put_u64(table, u64::MAX);
    built.put_u64(table + 40, SNAPSHOT_L1);
    built.put_u32(table + 48, 7);
    // A directory of bitmaps.
    built.put_u64(88, 1);
    built.put_u32(112, 0x2385_2875);
    built.put_u32(116, 24);
    built.put_u64(128, 100);
    built.put_u64(136, BITMAPS);
    built
}

const REFCOUNT_BLOCK: u64 = 20 * CLUSTER;
const SNAPSHOT_L1: u64 = 21 * CLUSTER;
const BITMAPS: u64 = 22 * CLUSTER;
const FREE: u64 = 23 * CLUSTER;

/// What the walk says when cluster 4 has this entry and bitmap.
fn walked(mut built: Built, extended_l2: bool, entry: u64, bitmap: u64) -> Result<(), String> {
    let place = built.l2_entry(4);
    built.put_u64(place, entry);
    if extended_l2 {
        built.put_u64(place + 8, bitmap);
    }
    let directory = tempfile::tempdir().unwrap();
    let chain = open(&built.write_to(directory.path()).unwrap()).map_err(|failure| failure.to_string())?;
    extents(&chain).map(drop).map_err(|failure| {
        assert_eq!(failure.status(), Status::Damaged, "{failure}");
        failure.to_string()
    })
}

/// File offset of a cluster of [`image`].
fn offset(built: &Built, cluster: u64) -> u64 {
    let entry = usize::try_from(built.l2_entry(cluster)).unwrap();
    u64::from_be_bytes(built.bytes[entry..entry + 8].try_into().unwrap()) & 0x00FF_FFFF_FFFF_FE00
}

/// The ways in which cluster 4 can take the cluster of the file at `offset`.
fn ways(offset: u64, extended_l2: bool) -> Vec<(u64, u64)> {
    let (data, packed) = (offset | COPIED, COMPRESSED | 1 << 54 | (offset + 1000));
    if extended_l2 {
        vec![(data, ALL), (data, ALL << 32), (data, 0), (data, 1 << 9), (packed, 0)]
    } else {
        vec![(data, 0), (data | ZERO, 0), (packed, 0)]
    }
}

#[test]
fn no_guest_cluster_lies_in_metadata_or_in_another() {
    for extended_l2 in [false, true] {
        let built = image(extended_l2);
        let last_table = *built.places.l2.values().last().unwrap();
        let packed = offset(&built, 2) / CLUSTER * CLUSTER;
        for (place, sentence) in [
            (0, "where the header lies"),
            (built.places.l1, "where the L1 table lies"),
            (built.places.refcount_table, "where the refcount table lies"),
            (built.places.snapshot_table, "where the snapshot table lies"),
            (BITMAPS, "where the bitmap directory lies"),
            (REFCOUNT_BLOCK, "where another guest cluster or table lies"),
            (SNAPSHOT_L1, "where another guest cluster or table lies"),
            (built.places.l2[&0], "where another guest cluster or table lies"),
            (last_table, "expected one that is free"),
            (offset(&built, 0), "where another guest cluster or table lies"),
            (offset(&built, 3), "where another guest cluster or table lies"),
            (offset(&built, (1 << 29) / CLUSTER), "where another guest cluster or table lies"),
            (packed, "where another guest cluster or table lies"),
        ] {
            for (entry, bitmap) in ways(place, extended_l2) {
                // Offset 0 is no place, and compressed clusters share theirs.
                if entry & COMPRESSED == 0 && place == 0 || entry & COMPRESSED != 0 && place == packed {
                    continue;
                }
                let found = walked(built.clone(), extended_l2, entry, bitmap).unwrap_err();
                assert!(found.contains(sentence), "{place:#x}, {entry:#x}, {bitmap:#x}: {found}");
            }
        }
        for (entry, bitmap) in ways(FREE, extended_l2).into_iter().chain([(COMPRESSED | (packed + 5000), 0)])
        {
            assert_eq!(walked(built.clone(), extended_l2, entry, bitmap), Ok(()), "{entry:#x}, {bitmap:#x}");
        }
    }
}

#[test]
fn a_cluster_that_reads_as_zeros_begins_in_the_file() {
    for extended_l2 in [false, true] {
        let mut built = image(extended_l2);
        let size = built.bytes.len() as u64;
        for (entry, bitmap) in
            ways(size, extended_l2).into_iter().filter(|(entry, _)| entry & COMPRESSED == 0)
        {
            assert!(walked(built.clone(), extended_l2, entry, bitmap).is_err(), "{entry:#x}, {bitmap:#x}");
        }
        // The last cluster may have been written as far as it was needed.
        built.bytes.truncate(usize::try_from(FREE + 1).unwrap());
        let (entry, bitmap) = if extended_l2 { (FREE, ALL << 32) } else { (FREE | ZERO, 0) };
        assert_eq!(walked(built, extended_l2, entry, bitmap), Ok(()));
    }
}

#[test]
fn bitmaps_that_are_out_of_date_are_nowhere() {
    let mut built = image(false);
    built.put_u64(88, 0);
    assert_eq!(walked(built, false, BITMAPS | COPIED, 0), Ok(()));
}

#[test]
fn an_l2_table_that_is_a_refcount_block_is_refused() {
    let built = image(false);
    let mut twice = built.clone();
    twice.put_u64(built.places.refcount_table, built.places.l2[&0]);
    assert!(walked(twice, false, 0, 0).unwrap_err().contains("an L2 table overlaps something else"));
}

#[test]
fn zeros_in_an_external_data_file_have_the_place_of_the_guest() {
    let mut image = Image::new("image", 1 << 20);
    image.data_file = Some("image.data".to_owned());
    image.set(15, Cluster::Data);
    let built = image.build();
    assert_eq!(walked(built.clone(), false, ZERO | COPIED | (4 * CLUSTER), 0), Ok(()));
    assert_eq!(walked(built.clone(), false, ZERO, 0), Ok(()));
    let found = walked(built, false, ZERO | COPIED | (5 * CLUSTER), 0).unwrap_err();
    assert!(found.contains("expected it at byte 262144"), "{found}");
}

#[test]
fn what_a_damaged_table_holds_is_never_left_out() {
    // An L2 table that a refcount block was written over: refcounts of 16 bits that are 1.
    let built = image(false);
    let mut over = built.clone();
    over.put(*built.places.l2.values().last().unwrap(), &[0, 1].repeat(32768));
    assert!(walked(over, false, 0, 0).is_err());
}
