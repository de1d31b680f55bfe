//! Every state that the tables can give to a cluster or subcluster, alone and over a backing file that holds data
//! everywhere: whose bytes does the guest read?

use std::path::Path;

use extents::extent::Content;
use extents::extent::stored::Stored;
use extents::failure::Status;
use image_builders::qcow2::{Cluster, Image, SUBCLUSTERS, Subcluster};
use image_builders::walk;
use qcow_headers::chain::Options;

use crate::guest::{self, open_with};

const CLUSTER: u64 = 65536;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;

/// Whose bytes the guest reads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    /// Stored in the upper image.
    Own,
    /// Compressed in the upper image.
    Compressed,
    /// Zeros, whatever the backing file has.
    Zeros,
    /// The backing file's, zeros without one.
    Below,
    /// Nobody knows: status 3.
    Damage,
}
use Reads::{Below, Damage, Own, Zeros};

/// Which kind of image the state stands in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Version2,
    Version3,
    DataFile,
    ExtendedL2,
    ExtendedL2DataFile,
}
use Kind::{DataFile, ExtendedL2, ExtendedL2DataFile, Version2, Version3};

/// The upper image: one cluster with the entry `entry`, and the bitmap `bitmap` if it has any.
fn write_upper(kind: Kind, entry: u64, bitmap: u64, directory: &Path) -> std::path::PathBuf {
    let mut image = Image::new("upper", CLUSTER).over("lower", Some("qcow2"));
    image.version = if kind == Version2 { 2 } else { 3 };
    image.extended_l2 = matches!(kind, ExtendedL2 | ExtendedL2DataFile);
    image.data_file = matches!(kind, DataFile | ExtendedL2DataFile).then(|| "upper.data".to_owned());
    image.set(0, Cluster::Data);
    let mut built = image.build();
    let place = built.l2_entry(0);
    built.put_u64(place, entry);
    if image.extended_l2 {
        built.put_u64(place + 8, bitmap);
    }
    // Larger than the disk: what is wrong with a place in it is not that it lies outside.
    if let Some((_, data)) = &mut built.data_file {
        data.resize(8 << 16, 0);
    }
    built.write_to(directory).unwrap()
}

/// What the first extent of the chain says.
fn first_extent(upper: &Path, backing: bool) -> Reads {
    let chain = open_with(upper, Options { backing, backing_format: None, data: true }).unwrap();
    match chain.extents().next().unwrap() {
        Err(failure) => {
            assert_eq!(failure.status(), Status::Damaged, "{failure}");
            Damage
        }
        Ok(extent) => match extent.content {
            Content::Data(Stored::Plain { .. }) if extent.layer == 1 => Below,
            Content::Data(Stored::Plain { .. }) => Own,
            Content::Data(Stored::Compressed(_)) => Reads::Compressed,
            Content::Zero => Zeros,
            Content::Absent => {
                assert!(!backing, "the backing file has all of it");
                Below
            }
        },
    }
}

#[test]
fn every_state_of_the_tables_is_read_as_the_specification_says() {
    // The first cluster after the L2 table of the upper image, and the first of a data file.
    let place = 4 * CLUSTER;
    let compressed = COMPRESSED | place;
    let (stored, zero) = (0xFFFF_FFFF, 0xFFFF_FFFF << 32);
    let states = [
        (Version2, 0, 0, Below),
        (Version2, COPIED, 0, Below),
        (Version2, place, 0, Own),
        (Version2, place | COPIED, 0, Own),
        (Version2, compressed, 0, Reads::Compressed),
        (Version2, ZERO, 0, Damage),
        (Version2, place | ZERO, 0, Damage),
        (Version3, 0, 0, Below),
        (Version3, COPIED, 0, Below),
        (Version3, place | COPIED, 0, Own),
        (Version3, place | COPIED | 1 << 56, 0, Damage),
        (Version3, 1 << 61, 0, Damage),
        (Version3, ZERO | 1 << 1, 0, Damage),
        (Version3, place + 512, 0, Damage),
        (Version3, ZERO, 0, Zeros),
        (Version3, place | COPIED | ZERO, 0, Zeros),
        (Version3, 1 << 55 | ZERO, 0, Damage),
        (Version3, place + 512 + ZERO, 0, Damage),
        (Version3, compressed, 0, Reads::Compressed),
        (Version3, compressed | ZERO, 0, Reads::Compressed),
        (Version3, COMPRESSED | 1 << 40, 0, Damage),
        (Version3, 1 << 55, 0, Damage),
        (DataFile, 0, 0, Below),
        (DataFile, COPIED, 0, Own),
        (DataFile, ZERO, 0, Zeros),
        (DataFile, COPIED | ZERO, 0, Zeros),
        (DataFile, place | COPIED, 0, Damage),
        (DataFile, compressed, 0, Damage),
        (ExtendedL2, 0, 0, Below),
        (ExtendedL2, ZERO, 0, Damage),
        (ExtendedL2, 0, zero, Zeros),
        (ExtendedL2, 0, 1 << 32, Zeros),
        (ExtendedL2, 0, 1 << 63, Below),
        (ExtendedL2, 0, 1, Damage),
        (ExtendedL2, 0, 1 << 31, Damage),
        (ExtendedL2, place, 0, Below),
        (ExtendedL2, place, stored, Own),
        (ExtendedL2, place, 1, Own),
        (ExtendedL2, place, 1 << 31, Below),
        (ExtendedL2, place, zero, Zeros),
        (ExtendedL2, place, 1 << 32 | 1 << 1, Zeros),
        (ExtendedL2, place, 1 << 63 | 1 << 31, Damage),
        (ExtendedL2, place + 512, stored, Damage),
        (ExtendedL2, compressed, 0, Reads::Compressed),
        (ExtendedL2, compressed, 1, Damage),
        (ExtendedL2, 1 << 55, 0, Damage),
        (ExtendedL2, 1 << 55, zero, Damage),
        (ExtendedL2DataFile, 0, 0, Below),
        (ExtendedL2DataFile, COPIED, stored, Own),
        (ExtendedL2DataFile, COPIED, 0, Below),
        (ExtendedL2DataFile, COPIED, zero, Zeros),
        (ExtendedL2DataFile, compressed, 0, Damage),
    ];
    let directory = tempfile::tempdir().unwrap();
    let mut lower = Image::new("lower", CLUSTER);
    lower.set(0, Cluster::Data);
    lower.write_to(directory.path()).unwrap();
    for (kind, entry, bitmap, expected) in states {
        let upper = write_upper(kind, entry, bitmap, directory.path());
        for backing in [false, true] {
            let found = first_extent(&upper, backing);
            assert_eq!(found, expected, "{kind:?}, entry {entry:#x}, bitmap {bitmap:#x}, backing {backing}");
        }
    }
}

#[test]
fn the_last_sector_of_a_compressed_cluster_may_be_cut_short() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = Image::new("image", CLUSTER);
    image.set(0, Cluster::Compressed);
    let mut built = image.build();
    // Room between the L2 table and the last sector.
    built.bytes.extend([0; 1024]);
    let size = built.bytes.len() as u64;
    let more_sectors = |sectors: u64, offset: u64| COMPRESSED | sectors << 54 | offset;
    // From an offset inside a sector, the second sector ends at most 511 bytes past the end of the file.
    for (entry, expected) in [
        (more_sectors(0, size / 512 * 512), Reads::Compressed),
        (more_sectors(1, size / 512 * 512), Damage),
        (more_sectors(1, size / 512 * 512 - 1), Reads::Compressed),
        (more_sectors(0, size), Damage),
        (more_sectors(0, size - 1), Reads::Compressed),
    ] {
        built.put_u64(built.l2_entry(0), entry);
        assert!(!size.is_multiple_of(512));
        assert_eq!(first_extent(&built.write_to(directory.path()).unwrap(), false), expected, "{entry:#x}");
    }
}

/// What the first 1 MiB block of an image is said to hold, in units of 2^`bits` bytes.
fn units(image: &Image, below: Option<&Image>, bits: u32) -> Vec<bool> {
    let directory = tempfile::tempdir().unwrap();
    if let Some(below) = below {
        below.write_to(directory.path()).unwrap();
    }
    let chain = guest::open(&image.write_to(directory.path()).unwrap()).unwrap();
    assert!(
        guest::read(&chain).unwrap() == image.truth(&below.map(|below| below.truth(&[])).unwrap_or_default())
    );
    assert_eq!(chain.cluster_bits(), bits);
    walk::units(&guest::extents(&chain).unwrap(), bits)
}

#[test]
fn upper_zero_cluster_hides_the_backing_file() {
    let mut below = Image::new("below", 4 * CLUSTER);
    for number in 0..4 {
        below.set(number, Cluster::Data);
    }
    let mut image = Image::new("image", 4 * CLUSTER).over("below", Some("qcow2"));
    image.set(1, Cluster::Zero).set(2, Cluster::PreallocatedZero);
    assert_eq!(units(&image, Some(&below), 16), [true, false, false, true]);
}

#[test]
fn a_backing_file_of_smaller_clusters_decides_the_unit() {
    let mut below = Image::new("below", 4 * CLUSTER).cluster_bits(12);
    below.set(17, Cluster::Compressed);
    let image = Image::new("image", 4 * CLUSTER).over("below", Some("qcow2"));
    let found = units(&image, Some(&below), 12);
    assert_eq!(found.iter().position(|data| *data), Some(17));
    assert_eq!(found.iter().filter(|data| **data).count(), 1);
}

#[test]
fn beyond_a_shorter_backing_file_there_are_zeros() {
    let mut below = Image::new("below", CLUSTER + 1024);
    below.set(0, Cluster::Data).set(1, Cluster::Data);
    let image = Image::new("image", 4 * CLUSTER).over("below", Some("qcow2"));
    assert_eq!(units(&image, Some(&below), 16), [true, true, false, false]);
}

#[test]
fn a_saved_vm_state_beyond_the_virtual_size_is_no_guest_data() {
    let mut image = Image::new("image", 3 * 512).cluster_bits(9);
    image.set(2, Cluster::Data).set(3, Cluster::Data).set(300, Cluster::Compressed);
    assert_eq!(units(&image, None, 9), [false, false, true]);
}

#[test]
fn the_last_cluster_of_2_mib_is_there_for_a_disk_of_5_and_a_half_mib() {
    let mut image = Image::new("image", 5632 << 10).cluster_bits(21);
    image.set(2, Cluster::Data);
    assert_eq!(units(&image, None, 21), [false, false, true]);
}

#[test]
fn an_extent_across_the_edge_of_a_block_is_exact_to_the_subcluster() {
    let mut image = Image::new("image", 2 << 20);
    image.extended_l2 = true;
    let mut parts = [Subcluster::Absent; SUBCLUSTERS];
    parts[31] = Subcluster::Stored;
    image.set(15, Cluster::Mixed(parts));
    parts.reverse();
    image.set(16, Cluster::Mixed(parts));
    let found = units(&image, None, 11);
    let data: Vec<usize> = (0..found.len()).filter(|unit| found[*unit]).collect();
    assert_eq!(data, [511, 512]);
}
