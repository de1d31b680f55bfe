//! Headers, BATs and blocks where other readers do not look for them, one class a test.

use extents::document::print::Form;
use image_builders::vhd::{Chain, FooterCopy, Vhd, Write};
use vhd_headers::granularity::Granularity;

use crate::guest::{assert_answered, content, document, extents, open};
use crate::small::small;

const MIB: u64 = 1 << 20;

#[test]
fn the_header_may_lie_at_any_offset_which_vhd_tool_ignores() {
    let image = Vhd { gaps: [7, 3, 0], ..small() };
    assert_eq!(image.build().header, 512 + 7 * 512);
    assert_answered(&image, &image.build());
    let image = Vhd { table_last: true, batmap: true, ..small() };
    assert_answered(&image, &image.build());
}

#[test]
fn blocks_may_lie_in_any_order_with_gaps_between_them() {
    let mut image = Vhd { shuffle: 77, gaps: [0, 0, 2], ..small() };
    image.empty_blocks = vec![0, 2, 3];
    assert!(!image.build().blocks.values().is_sorted(), "the order is another");
    assert_answered(&image, &image.build());
}

#[test]
fn entries_beyond_the_disk_mean_nothing() {
    let image = Vhd { spare_entries: 300, ..small() };
    assert_answered(&image, &image.build());
}

#[test]
fn every_block_size_from_a_sector_to_a_gibibyte_is_read() {
    for bits in [9, 12, 20, 22] {
        let image = Vhd { block_bits: bits, ..small() };
        assert_answered(&image, &image.build());
    }
}

#[test]
fn a_block_as_a_whole_is_what_follows_its_bitmap() {
    // `--skip-holes` looks for the holes of a single image there. Sectors that were not written are zeros in this file.
    let image = Vhd { shuffle: 77, empty_blocks: vec![0], ..small() };
    let directory = tempfile::tempdir().unwrap();
    let chain = open(&image.build().write_to(directory.path()).unwrap()).unwrap();
    let blocks = extents(&chain, Granularity::Block).unwrap();
    assert!(content(&chain, &blocks) == Chain(vec![image]).truth());
}

#[test]
fn a_block_of_a_gibibyte_may_hold_one_sector() {
    let image = Vhd { block_bits: 30, tail: FooterCopy::Missing, ..Vhd::dynamic("disk.vhd", 1000 * MIB) };
    let mut built = image.build();
    let bitmap = built.bytes.len();
    built.set_entry(0, u32::try_from(bitmap / 512).unwrap());
    built.bytes.resize(bitmap + (256 << 10) + 512, 0);
    built.bytes[bitmap] = 0x80;
    let directory = tempfile::tempdir().unwrap();
    let path = built.write_to(directory.path()).unwrap();
    let sectors = document(&path, Granularity::Sector, Some(9), Form::Intervals).unwrap();
    assert_eq!(sectors, "{\"virtual_size\":1048576000,\"cluster_bits\":9,\"data_clusters\":[[0,0]]}\n");
}

#[test]
fn the_unwritten_end_of_a_block_may_be_missing_but_no_written_sector() {
    let image = Vhd { tail: FooterCopy::Missing, ..small() };
    let mut built = image.build();
    // The last block shows 15 of its 16 sectors.
    built.bytes.truncate(built.blocks[&4] + 512 + 15 * 512);
    assert_answered(&image, &built);
    // Sectors 70 and 71 are its sectors 6 and 7.
    let image = Vhd { writes: vec![Write::data(70, 2)], ..image };
    let mut built = image.build();
    built.bytes.truncate(built.blocks[&4] + 512 + 8 * 512);
    assert_answered(&image, &built);
    built.bytes.truncate(built.bytes.len() - 1);
    let directory = tempfile::tempdir().unwrap();
    assert!(open(&built.write_to(directory.path()).unwrap()).is_err());
}

#[test]
fn a_block_without_a_written_sector_may_end_with_its_bitmap() {
    let image = Vhd { tail: FooterCopy::Missing, empty_blocks: vec![4], ..small() };
    let image = Vhd { writes: vec![Write::data(17, 3)], ..image };
    let mut built = image.build();
    built.bytes.truncate(built.blocks[&4] + 512);
    assert_answered(&image, &built);
}

#[test]
fn a_block_may_end_where_the_bat_begins() {
    let image = Vhd { table_last: true, size: 5 * 8192, ..small() };
    let built = image.build();
    assert_eq!(built.blocks[&4] + 512 + 8192, built.table);
    assert_answered(&image, &built);
}

#[test]
fn the_bat_may_lie_right_between_two_structures() {
    // 128 entries are 512 bytes.
    let image = Vhd { table_last: true, spare_entries: 123, gaps: [1, 0, 0], ..small() };
    let mut built = image.build();
    assert_eq!(built.table + 512, built.tail);
    assert_answered(&image, &built);
    // Between the copy of the footer and the header.
    built.bytes.copy_within(built.table..built.tail, 512);
    built.patch_header(16, &512_u64.to_be_bytes());
    assert_answered(&image, &built);
}

#[test]
fn a_block_that_is_cut_short_by_the_end_of_the_disk_may_be_followed_at_once() {
    let image = Vhd { tail: FooterCopy::Missing, empty_blocks: vec![0, 1, 2, 3], ..small() };
    let mut built = image.build();
    // The last block, of which the disk has 15 sectors, moves in front of the others.
    let mut last = built.bytes.split_off(built.blocks[&4]);
    last.truncate(512 + 15 * 512);
    let (first, moved) = (built.blocks[&0], last.len());
    built.bytes.splice(first..first, last);
    built.set_entry(4, u32::try_from(first / 512).unwrap());
    for block in 0..4 {
        let offset = built.blocks[&block] + moved;
        built.set_entry(block, u32::try_from(offset / 512).unwrap());
    }
    assert_answered(&image, &built);
}

#[test]
fn an_empty_disk_has_no_data() {
    for image in [Vhd::dynamic("disk.vhd", 0), Vhd::fixed("disk.vhd", 0)] {
        assert_answered(&image, &image.build());
    }
}
