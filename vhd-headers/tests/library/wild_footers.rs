//! Footers that other readers refuse or misread, one class a test. vhd-tool reads only the one at the start of the file, and
//! qemu only the geometry of some creators.

use image_builders::vhd::{FooterCopy, Vhd, Write};

use crate::guest::{assert_answered, intervals, open};
use crate::small::small;

const MIB: u64 = 1 << 20;

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
