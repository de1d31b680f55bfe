//! Batmaps and sector bitmaps that other readers do not know: what they may spare, and when they are left alone.

use image_builders::vhd::{FooterCopy, Vhd, Write};
use vhd_headers::granularity::Granularity;

use crate::guest::{assert_answered, extents, intervals, open};
use crate::small::small;

#[test]
fn little_endian_bitmaps_are_answered_by_blocks_only() {
    let directory = tempfile::tempdir().unwrap();
    let image = Vhd { creator: Some((*b"tap\0", 1)), ..small() };
    let path = image.build().write_to(directory.path()).unwrap();
    assert_eq!(intervals(&path), "[[1,1],[4,4]]");
    let failure = extents(&open(&path).unwrap(), Granularity::Sector).unwrap_err();
    assert_eq!(failure.status() as u8, 4);
}

#[test]
fn a_batmap_is_a_short_cut_and_no_more() {
    let mut image = Vhd { batmap: true, ..small() };
    image.writes.push(Write::data(32, 16));
    let mut built = image.build();
    assert_answered(&image, &built);
    // Its bit says that block 2 is full: the bitmap is not read.
    let bitmap = built.blocks[&2];
    built.bytes[bitmap..bitmap + 512].fill(0);
    assert_answered(&image, &built);
    // With a wrong checksum it is not believed.
    let image = Vhd { writes: image.writes[..2].to_vec(), empty_blocks: vec![2], ..image };
    let mut built = image.build();
    let bits = built.batmap.unwrap() + 512;
    built.bytes[bits] ^= 0x20;
    assert_answered(&image, &built);
}

#[test]
fn a_batmap_counts_to_its_last_byte() {
    // 40 000 blocks of a sector: 5000 bytes of bits, which are read in two parts.
    let mut image = Vhd { batmap: true, block_bits: 9, empty_blocks: vec![39_998], ..small() };
    image.size = 40_000 * 512;
    image.writes = vec![Write::data(20, 1), Write::data(39_999, 1)];
    let mut built = image.build();
    for block in [20, 39_999] {
        let bitmap = built.blocks[&block];
        built.bytes[bitmap] = 0;
    }
    assert_answered(&image, &built);
    let mut built = image.build();
    let last = built.batmap.unwrap() + 512 + 4999;
    assert_eq!(built.bytes[last], 1);
    built.bytes[last] = 3;
    assert_answered(&image, &built);
}

#[test]
fn a_batmap_of_another_writer_than_tapdisk_is_not_read() {
    for creator in [(*b"vpc ", 0x0001_0003), (*b"tap\0", 0x0000_0001)] {
        let image = Vhd { batmap: true, creator: Some(creator), empty_blocks: vec![2], ..small() };
        let mut built = image.build();
        let bits = built.batmap.unwrap() + 512;
        built.bytes[bits] |= 0x20;
        built.seal_batmap(512);
        if creator.1 > 1 {
            assert_answered(&image, &built);
        } else {
            let directory = tempfile::tempdir().unwrap();
            let chain = open(&built.write_to(directory.path()).unwrap()).unwrap();
            assert!(chain.extents(Granularity::Sector).is_err());
        }
    }
}

#[test]
fn a_batmap_that_is_odd_in_any_way_is_not_read() {
    // Its bit says that block 2 is full, of which no sector was written. It follows a BAT of more than two sectors.
    let image = Vhd { batmap: true, spare_entries: 300, empty_blocks: vec![2], ..small() };
    let with = |at: usize, value: &[u8], summed: usize| {
        let mut built = image.build();
        let header = built.batmap.unwrap();
        built.bytes[header + 512] |= 0x20;
        built.seal_batmap(summed);
        built.bytes[header + at..header + at + value.len()].copy_from_slice(value);
        built
    };
    let tampered = with(0, b"tdbatmap", 512);
    let directory = tempfile::tempdir().unwrap();
    let chain = open(&tampered.write_to(directory.path()).unwrap()).unwrap();
    assert_eq!(
        extents(&chain, Granularity::Sector).unwrap().iter().filter(|extent| extent.start >> 13 == 2).count(),
        1
    );
    for (at, value, summed) in [
        (0, &b"tdbatmao"[..], 512),
        // The version whose checksums were summed up from signed bytes.
        (20, &0x0001_0001_u32.to_be_bytes(), 512),
        // More bits than there are blocks.
        (16, &2_u32.to_be_bytes(), 1024),
        (16, &u32::MAX.to_be_bytes(), 512),
        (8, &(1_u64 << 40).to_be_bytes(), 512),
        (8, &u64::MAX.to_be_bytes(), 512),
    ] {
        assert_answered(&image, &with(at, value, summed));
    }
}

#[test]
fn a_batmap_does_not_bring_back_what_is_not_in_the_file() {
    let image = Vhd { batmap: true, tail: FooterCopy::Missing, ..small() };
    let mut built = Vhd { writes: vec![Write::data(64, 16)], ..image.clone() }.build();
    // The bitmap says that only the first 8 sectors of the last block were written, and only they are in the file.
    let bitmap = built.blocks[&4];
    built.bytes[bitmap + 1] = 0;
    built.bytes.truncate(bitmap + 512 + 8 * 512);
    assert_answered(&Vhd { writes: vec![Write::data(64, 8)], ..image }, &built);
}

#[test]
fn encrypted_data_is_listed_but_not_given_away() {
    let image = Vhd { batmap: true, ..small() };
    let mut built = image.build();
    built.bytes[built.batmap.unwrap() + 29] = 1;
    assert_answered(&image, &built);
    let directory = tempfile::tempdir().unwrap();
    let chain = open(&built.write_to(directory.path()).unwrap()).unwrap();
    let failure = chain.check_readable().unwrap_err();
    assert_eq!(failure.status() as u8, 4);
    assert!(
        failure.to_string().ends_with("its data is encrypted: found a key hash in the batmap, expected none")
    );
    let plain = open(&image.build().write_to(directory.path()).unwrap()).unwrap();
    assert!(plain.check_readable().is_ok());
}
