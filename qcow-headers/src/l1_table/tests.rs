//! L1 tables, whole, wrong and in holes.

use crate::first_cluster::FirstCluster;
use crate::l1_table::*;
use image_builders::qcow2::{Built, Cluster, Image};

/// Clusters of 512 bytes: 64 in an L2 table. Tables for L1 entries 0 to 4 and 10 of 12.
fn image() -> Built {
    let mut image = Image::new("a", 12 * 64 * 512).cluster_bits(9);
    image.snapshots = 3;
    for table in [0, 1, 2, 3, 4, 10] {
        image.set(table * 64, Cluster::Zero);
    }
    image.build()
}

fn checked(built: &Built, window: usize) -> Result<Vec<Stretch>, Failure> {
    let directory = tempfile::tempdir().unwrap();
    let file = ImageFile::open(&built.write_to(directory.path()).unwrap()).unwrap();
    let geometry = FirstCluster::read(&file)?.geometry;
    let mut table = L1Table::new(&file, &geometry, window);
    let stretches = std::iter::from_fn(|| table.next_stretch().transpose()).collect();
    L1Table::new(&file, &geometry, window).check()?;
    stretches
}

fn refused(change: impl Fn(&mut Built), sentence: &str) {
    let mut built = image();
    change(&mut built);
    let failure = checked(&built, 4096).unwrap_err();
    assert!(failure.to_string().contains(sentence), "{failure}");
    assert_eq!(failure.status() as u8, 3);
}

#[test]
fn tables_that_lie_together_come_at_once() {
    let built = image();
    let at = |entry: u64| built.places.l2[&entry];
    let tables = |entry, tables| Stretch::Tables { offset: at(entry), tables };
    let empty = |entries| Stretch::Empty { entries };
    assert_eq!(checked(&built, 4096).unwrap(), [tables(0, 5), empty(5), tables(10, 1), empty(1)]);
    // Where the window ends, a stretch ends too.
    let small = checked(&built, 32).unwrap();
    assert_eq!(small, [tables(0, 4), tables(4, 1), empty(3), empty(2), tables(10, 1), empty(1)]);
}

#[test]
fn reserved_bits_are_refused_and_the_copied_flag_means_nothing() {
    for bit in (0..9).chain(56..63) {
        for entry in [1, 6] {
            let change = |built: &mut Built| {
                let offset = built.places.l2.get(&entry).copied().unwrap_or_default();
                built.put_u64(built.places.l1 + entry * 8, offset | COPIED | 1 << bit);
            };
            refused(change, &format!("L1 entry {entry} has reserved bits"));
        }
    }
    let mut built = image();
    built.put_u64(built.places.l1 + 6 * 8, COPIED);
    assert_eq!(checked(&built, 4096).unwrap()[1], Stretch::Empty { entries: 5 });
}

#[test]
fn misplaced_l2_tables_are_refused() {
    let l1 = |built: &Built| built.places.l1;
    refused(|built| built.put_u64(l1(built), 1 << 55), "L2 table lies outside the file");
    refused(|built| built.put_u64(l1(built), OFFSET_MASK), "L2 table lies outside the file");
    refused(|built| built.bytes.truncate(built.bytes.len() - 1), "L2 table lies outside the file");
    refused(|built| built.put_u64(l1(built), l1(built)), "overlaps the L1 table");
    refused(|built| built.put_u64(l1(built), built.places.refcount_table), "overlaps the refcount table");
    refused(|built| built.put_u64(l1(built), built.places.snapshot_table), "overlaps the snapshot table");
}

#[test]
fn without_snapshots_it_does_not_matter_where_their_table_would_be() {
    let mut built = image();
    built.put_u32(60, 0);
    built.put_u64(64, built.places.l2[&1]);
    assert_eq!(checked(&built, 4096), checked(&image(), 4096));
}

#[test]
fn an_l1_table_that_is_cut_off_after_the_entries_in_use_is_refused() {
    // From the L1 table to the end of the file there is room for 448 entries.
    refused(|built| built.put_u32(36, 449), "L1 table lies outside the file");
}

#[test]
fn an_l2_table_that_is_not_aligned_is_refused() {
    let mut image = Image::new("a", 1 << 20).cluster_bits(12);
    image.set(0, Cluster::Data);
    let mut built = image.build();
    built.put_u64(built.places.l1, built.places.l2[&0] + 512);
    let failure = checked(&built, 4096).unwrap_err();
    assert!(failure.to_string().contains("L1 entry 0 is not aligned"), "{failure}");
    built.put_u64(built.places.l1, 512);
    assert!(checked(&built, 4096).is_err());
}

/// The first `entries` L1 entries lead to the first `tables` L2 tables, in turn.
fn shared(entries: u64, tables: u64) -> Result<Vec<Stretch>, Failure> {
    let mut image = Image::new("a", 4000 * 64 * 512).cluster_bits(9);
    for table in 0..tables {
        image.set(table * 64, Cluster::Zero);
    }
    let mut built = image.build();
    for entry in 0..entries {
        built.put_u64(built.places.l1 + entry * 8, built.places.l2[&(entry % tables)]);
    }
    // The header, the refcount table, 63 clusters of L1 entries.
    assert_eq!(built.bytes.len() as u64, (65 + tables) * 512);
    checked(&built, 4096)
}

#[test]
fn an_l1_table_that_leads_to_the_same_tables_again_and_again_is_refused() {
    for (entries, tables) in [(4000, 1), (4000, 5), (66, 1), (70, 5)] {
        let failure = shared(entries, tables).unwrap_err();
        assert!(failure.to_string().contains("share L2 tables"), "{failure}");
    }
    // As few as could be tables of their own are let pass.
    shared(65, 1).unwrap();
}

/// Tables of 2 MiB, one after the other, in a hole of the file.
fn in_a_hole(tables: u64) -> Result<(), Failure> {
    let mut built = Image::new("a", tables << 39).cluster_bits(21).build();
    let first = (built.bytes.len() as u64).next_multiple_of(2 << 20);
    for table in 0..tables {
        built.put_u64(built.places.l1 + table * 8, first + (table << 21));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = built.write_to(directory.path()).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(first + (tables << 21)).unwrap();
    let file = ImageFile::open(&path).unwrap();
    L1Table::new(&file, &FirstCluster::read(&file)?.geometry, 4096).check()
}

#[test]
fn tables_in_holes_are_let_pass_up_to_2_gib() {
    in_a_hole(1024).unwrap();
    let failure = in_a_hole(1025).unwrap_err();
    assert!(failure.to_string().contains("L2 tables lie in holes of the file"), "{failure}");
    assert_eq!(failure.status() as u8, 4);
}

/// 512 bytes each, in a hole of the file; `step` leads from one to the next.
fn small_in_a_hole(tables: u64, step: i64) -> Result<(), Failure> {
    let mut built = Image::new("a", tables << 15).cluster_bits(9).build();
    let first = built.bytes.len() as u64;
    let start = if step < 0 { first + tables * 512 } else { first };
    for table in 0..tables {
        let place = start.saturating_add_signed(step * table.cast_signed() * 512);
        built.put_u64(built.places.l1 + table * 8, place);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = built.write_to(directory.path()).unwrap();
    let end = first + (tables + 1) * 512 * step.unsigned_abs();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(end).unwrap();
    let file = ImageFile::open(&path).unwrap();
    L1Table::new(&file, &FirstCluster::read(&file)?.geometry, 64 << 10).check()
}

#[test]
fn small_tables_in_holes_count_by_the_reads_they_take() {
    small_in_a_hole(200_000, 1).unwrap();
    for step in [-1, 2] {
        small_in_a_hole(131_072, step).unwrap();
        let failure = small_in_a_hole(200_000, step).unwrap_err();
        assert!(failure.to_string().contains("L2 tables lie in holes of the file"), "{failure}");
    }
}
