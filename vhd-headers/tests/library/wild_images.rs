//! Sound images that other readers refuse or misread, one class a test. vhd-tool reads only the footer and the header at
//! the start of the file, and qemu only the geometry of some creators.

use image_builders::vhd::{Chain, FooterCopy, Vhd, Write};
use vhd_headers::granularity::Granularity;

use extents::document::print::Form;

use crate::guest::{assert_answered, content, document, extents, intervals, open};

const MIB: u64 = 1 << 20;

/// A dynamic disk of five small blocks, the second and the last of which hold something.
fn small() -> Vhd {
    let mut image =
        Vhd::dynamic("disk.vhd", 5 * 8192 - 1000).with(Write::data(17, 3)).with(Write::data(70, 20));
    image.block_bits = 13;
    image
}

#[test]
fn a_fixed_disk_is_all_data_which_vhd_tool_refuses() {
    let image = Vhd::fixed("disk.vhd", 5 * MIB + 512).with(Write::data(9, 1));
    assert_answered(&image, &image.build());
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(intervals(&image.build().write_to(directory.path()).unwrap()), "[[0,2]]");
}

#[test]
fn a_fixed_disk_that_holds_a_vhd_is_not_mistaken_for_it() {
    let mut image = Vhd::fixed("disk.vhd", 40_960);
    let inner = small().build();
    let mut built = image.build();
    built.bytes[..inner.bytes.len()].copy_from_slice(&inner.bytes);
    let directory = tempfile::tempdir().unwrap();
    let path = built.write_to(directory.path()).unwrap();
    assert_eq!(open(&path).unwrap().virtual_size(), 40_960);
    // Not even when its own footer is damaged: which of the two it is cannot be known then.
    image.tail = FooterCopy::Damaged;
    let length = inner.bytes.len();
    let mut built = image.build();
    built.bytes[..length].copy_from_slice(&inner.bytes);
    assert!(open(&built.write_to(directory.path()).unwrap()).is_err());
}

#[test]
fn a_missing_or_damaged_head_is_no_loss_which_vhd_tool_refuses() {
    for head in [FooterCopy::Missing, FooterCopy::Damaged] {
        let image = Vhd { head, ..small() };
        assert_answered(&image, &image.build());
    }
}

#[test]
fn a_missing_or_damaged_tail_is_no_loss() {
    for tail in [FooterCopy::Missing, FooterCopy::Damaged] {
        let image = Vhd { tail, ..small() };
        assert_answered(&image, &image.build());
    }
}

#[test]
fn a_footer_of_511_bytes_is_found() {
    for head in [FooterCopy::Sound, FooterCopy::Missing] {
        let image = Vhd { head, tail: FooterCopy::Short, ..small() };
        assert_answered(&image, &image.build());
    }
    let image = Vhd { tail: FooterCopy::Short, ..Vhd::fixed("disk.vhd", 4096) };
    assert_answered(&image, &image.build());
}

#[test]
fn of_two_sound_footers_the_last_one_counts() {
    let directory = tempfile::tempdir().unwrap();
    let mut built = small().build();
    built.patch_head(48, &8192_u64.to_be_bytes());
    let chain = open(&built.write_to(directory.path()).unwrap()).unwrap();
    assert_eq!(chain.virtual_size(), small().size);
    assert!(chain.layers()[0].notes().iter().any(|note| note.ends_with("is sound but differs")));
    let [warning] = chain.layers()[0].warnings() else { panic!("expected one warning") };
    assert!(warning.contains("contradict each other"), "{warning}");
    // Not about the disk: the time it was made.
    let mut built = small().build();
    built.patch_head(24, &[1]);
    let chain = open(&built.write_to(directory.path()).unwrap()).unwrap();
    assert_eq!((chain.layers()[0].notes().len(), chain.layers()[0].warnings().len()), (2, 0));
    // Two that are equal are not worth a word.
    let chain = open(&small().build().write_to(directory.path()).unwrap()).unwrap();
    assert_eq!((chain.layers()[0].notes().len(), chain.layers()[0].warnings().len()), (1, 0));
}

#[test]
fn a_device_longer_than_the_image_has_its_footer_at_the_start_or_the_very_end() {
    let image = small();
    let mut built = image.build();
    let footer = built.bytes[built.tail..].to_vec();
    built.bytes.truncate(built.tail);
    built.bytes.resize(built.tail + 10_000, 0x77);
    assert_answered(&image, &built);
    built.bytes.extend(footer);
    built.bytes[..512].fill(0);
    assert_answered(&image, &built);
}

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
fn the_hidden_flag_may_be_missing_from_the_checksum_of_early_tapdisks() {
    let mut image = small();
    image.creator = Some((*b"tap\0", 0x0001_0001));
    let mut built = image.build();
    built.bytes[85] = 1;
    let tail = built.tail;
    built.bytes[tail + 85] = 1;
    assert_answered(&image, &built);
    image.creator = Some((*b"tap\0", 0x0001_0003));
    let mut built = image.build();
    built.bytes[85] = 1;
    built.bytes[tail + 85] = 1;
    let directory = tempfile::tempdir().unwrap();
    assert!(open(&built.write_to(directory.path()).unwrap()).is_err());
}

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

#[test]
fn the_size_is_that_of_the_footer_and_not_of_the_geometry() {
    let image = Vhd { creator: Some((*b"vpc ", 0x0005_0003)), geometry: (4, 4, 4), ..small() };
    assert_answered(&image, &image.build());
    let directory = tempfile::tempdir().unwrap();
    let chain = open(&image.build().write_to(directory.path()).unwrap()).unwrap();
    let note =
        "the geometry disagrees with the size: found 32768 bytes, the disk has 39960; qemu shows the former";
    assert!(chain.layers()[0].notes().iter().any(|found| found.ends_with(note)));
    // No one is told of a geometry that agrees, or that no program goes by.
    for other in [
        Vhd { creator: Some((*b"vpc ", 0x0005_0003)), geometry: (4, 4, 4), size: 4 * 4 * 4 * 512, ..small() },
        Vhd { creator: Some((*b"qem2", 0x0005_0003)), geometry: (4, 4, 4), ..small() },
    ] {
        let chain = open(&other.build().write_to(directory.path()).unwrap()).unwrap();
        assert!(chain.layers()[0].notes().iter().all(|found| !found.contains("geometry")));
    }
}

#[test]
fn a_disk_above_2040_gib_is_answered_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = Vhd::dynamic("disk.vhd", 2041 << 30);
    image.block_bits = 30;
    let chain = open(&image.build().write_to(directory.path()).unwrap()).unwrap();
    assert_eq!(chain.layers()[0].warnings().len(), 1);
    assert_eq!(chain.virtual_size(), 2041 << 30);
    image.size = 2040 << 30;
    let chain = open(&image.build().write_to(directory.path()).unwrap()).unwrap();
    assert_eq!(chain.layers()[0].warnings().len(), 0);
}

#[test]
fn an_empty_disk_has_no_data() {
    for image in [Vhd::dynamic("disk.vhd", 0), Vhd::fixed("disk.vhd", 0)] {
        assert_answered(&image, &image.build());
    }
}
