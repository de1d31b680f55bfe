//! Everything that a robust reader refuses, each with a sentence of its own.

use extents::failure::Status;
use image_builders::vhd::{Built, FooterCopy, Locator, Vhd, Write};

use crate::guest::failure_of;

/// A dynamic disk of four blocks of 8 KiB, all in the file: the header at 512, the BAT at 1536, blocks of 8704 bytes from
/// 2048 on, the footer at 36864.
fn sound() -> Built {
    image().build()
}

fn image() -> Vhd {
    let mut image = Vhd::dynamic("x.vhd", 4 << 13).with(Write::data(0, 64));
    image.block_bits = 13;
    image
}

/// Asserts that `damage` leads to status 3 and to this sentence.
fn damaged(damage: impl FnOnce(&mut Built), sentence: &str) {
    refused(damage, Status::Damaged, sentence);
}

/// Asserts that `damage` leads to status 4 and to this sentence.
fn unsupported(damage: impl FnOnce(&mut Built), sentence: &str) {
    refused(damage, Status::Unsupported, sentence);
}

fn refused(damage: impl FnOnce(&mut Built), status: Status, sentence: &str) {
    let mut built = sound();
    damage(&mut built);
    assert_eq!(failure_of(&built), (status, format!("x.vhd: {sentence}")));
}

#[test]
fn what_is_no_vhd_is_named() {
    let other = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        move |built: &mut Built| built.bytes = bytes
    };
    let expected = "expected the cookie conectix in the last 512 bytes or at byte 0";
    for (bytes, found) in [
        (b"".to_vec(), "an empty file"),
        (b"conectix".to_vec(), "\"conectix\" alone"),
        (vec![0; 512], "512 zero bytes"),
        (vec![0; 1 << 20], "zeros at its beginning"),
        ([&b"QFI\xfb"[..], &[0; 1000]].concat(), "a QCOW2, which qcow-headers reads"),
        ([&b"vhdxfile"[..], &[0; 1000]].concat(), "a VHDX, which qemu-img reads"),
        ([&b"KDMV"[..], &[0; 1000]].concat(), "a VMDK, which qemu-img reads"),
        ([&[0x1f, 0x8b, 8][..], &[0; 1000]].concat(), "a gzip file, which gzip -dc reads"),
        ([&b"<html>"[..], &[b' '; 1000]].concat(), "a web page (HTML)"),
    ] {
        damaged(other(&bytes), &format!("is not a VHD: found {found}, {expected}"));
    }
}

#[test]
fn two_damaged_footers_are_one_too_many() {
    damaged(
        |built| {
            built.bytes[100] ^= 1;
            built.bytes[36864 + 100] ^= 2;
        },
        "footer at byte 36864: wrong checksum: found 0xfffff12f, expected 0xfffff12d",
    );
}

#[test]
fn a_fixed_footer_at_the_start_alone_is_not_believed() {
    damaged(
        |built| {
            built.patch_head(60, &2_u32.to_be_bytes());
            built.bytes.truncate(36864);
        },
        "no footer at the end of the file: found only one at byte 0 that says fixed, expected it last",
    );
}

#[test]
fn a_poisoned_image_is_out_of_use() {
    let sentence = "the image was taken out of use: found the cookie v_poison, expected conectix";
    unsupported(|built| built.patch_footers(0, b"v_poison"), &format!("footer at byte 36864: {sentence}"));
    unsupported(|built| built.patch_head(0, b"v_poison"), &format!("footer at byte 0: {sentence}"));
}

#[test]
fn unknown_versions_and_types_are_left_to_others() {
    unsupported(
        |built| built.patch_footers(12, &[0, 2]),
        "footer at byte 36864: unknown version: found 0x00020000, expected 0x00010000",
    );
    unsupported(
        |built| built.patch_footers(60, &7_u32.to_be_bytes()),
        "footer at byte 36864: unknown disk type: found 7, expected 2 (fixed), 3 (dynamic) or 4 (differencing)",
    );
    unsupported(
        |built| built.patch_header(24, &[0, 0]),
        "dynamic header at byte 512: unknown version: found 0x00000000, expected 0x00010000",
    );
}

#[test]
fn a_fixed_disk_is_not_cut_off() {
    let mut built = Vhd { name: "x.vhd".into(), ..Vhd::fixed("", 8192) }.build();
    built.bytes.drain(..512);
    assert_eq!(
        failure_of(&built),
        (
            Status::Damaged,
            "x.vhd: the data of the fixed disk is cut off: found 7680 bytes before the footer, expected 8192"
                .into()
        )
    );
}

#[test]
fn a_header_is_where_the_footer_says() {
    damaged(
        |built| built.patch_footers(16, &1024_u64.to_be_bytes()),
        "dynamic header at byte 1024: wrong cookie: found \"\\0\\0\\0\\0\\0\\0\\0\\0\", expected \
         \"cxsparse\"",
    );
    damaged(
        |built| built.patch_footers(16, &u64::MAX.to_be_bytes()),
        "dynamic header lies outside the file: found 1024 bytes at byte 18446744073709551615, expected them before byte \
         37376",
    );
    damaged(
        |built| built.bytes[512 + 1000] ^= 1,
        "dynamic header at byte 512: wrong checksum: found 0xfffff473, expected 0xfffff472",
    );
}

#[test]
fn block_sizes_are_powers_of_two() {
    for size in [0_u32, 256, 3 << 20, 1 << 31] {
        damaged(
            |built| built.patch_header(32, &size.to_be_bytes()),
            &format!(
                "dynamic header at byte 512: impossible block size: found {size} bytes, expected a power of two from \
                 512 to 1073741824"
            ),
        );
    }
}

#[test]
fn the_bat_has_an_entry_for_every_block_inside_the_file() {
    damaged(
        |built| built.patch_header(28, &3_u32.to_be_bytes()),
        "the BAT is too small for a disk of 32768 bytes: found 3 entries, expected at least 4",
    );
    damaged(
        |built| built.patch_footers(48, &(4_u64 << 50).to_be_bytes()),
        "the BAT is too small for a disk of 4503599627370496 bytes: found 4 entries, expected at least 549755813888",
    );
    damaged(
        |built| built.patch_header(28, &0x3fff_ffff_u32.to_be_bytes()),
        "BAT lies outside the file: found 4294967292 bytes at byte 1536, expected them before byte 37376",
    );
    damaged(
        |built| built.patch_header(16, &(u64::MAX - 511).to_be_bytes()),
        "BAT lies outside the file: found 16 bytes at byte 18446744073709551104, expected them before byte 37376",
    );
    damaged(
        |built| built.patch_header(16, &1537_u64.to_be_bytes()),
        "dynamic header at byte 512: impossible place of the BAT: found byte 1537, expected a multiple of 512",
    );
    damaged(
        |built| built.patch_header(16, &0_u64.to_be_bytes()),
        "the BAT overlaps the copy of the footer: found it at byte 0, expected it outside of bytes 0 to 511",
    );
    damaged(
        |built| built.patch_header(16, &512_u64.to_be_bytes()),
        "the BAT overlaps the dynamic header: found it at byte 512, expected it outside of bytes 512 to 1535",
    );
    damaged(
        |built| built.patch_header(16, &36864_u64.to_be_bytes()),
        "the BAT overlaps the footer: found it at byte 36864, expected it outside of bytes 36864 to 37375",
    );
}

#[test]
fn blocks_lie_clear_of_the_metadata() {
    damaged(
        |built| built.set_entry(3, 0),
        "block 3 overlaps the copy of the footer: found it at byte 0, expected it outside of bytes 0 to 511",
    );
    damaged(
        |built| built.set_entry(3, 2),
        "block 3 overlaps the dynamic header: found it at byte 1024, expected it outside of bytes 512 to 1535",
    );
    damaged(
        |built| built.set_entry(3, 3),
        "block 3 overlaps the BAT: found it at byte 1536, expected it outside of bytes 1536 to 1551",
    );
}

#[test]
fn blocks_lie_inside_the_file_and_before_the_footer() {
    damaged(
        |built| built.set_entry(3, 0xffff_fffe),
        "block 3 lies outside the file: found 8704 bytes at byte 2199023254528, expected them to end by byte \
         36864",
    );
    damaged(
        |built| built.set_entry(3, 56),
        "block 3 lies outside the file: found 8704 bytes at byte 28672, expected them to end by byte 36864",
    );
    damaged(
        |built| built.bytes.truncate(36000),
        "block 3 lies outside the file: found 8704 bytes at byte 28160, expected them to end by byte 36000",
    );
}

#[test]
fn no_two_blocks_share_a_byte() {
    damaged(
        |built| built.set_entry(3, 4),
        "two blocks overlap: found block 0 at byte 2048 and block 3 at byte 2048, expected 8704 bytes for each",
    );
    damaged(
        |built| built.set_entry(2, 22),
        "two blocks overlap: found block 1 at byte 10752 and block 2 at byte 11264, expected 8704 bytes for each",
    );
    damaged(
        |built| (0..4).for_each(|block| built.set_entry(block, 4)),
        "two blocks overlap: found block 0 at byte 2048 and block 1 at byte 2048, expected 8704 bytes for each",
    );
}

#[test]
fn blocks_out_of_order_that_overlap_are_found_by_sorting() {
    damaged(
        |built| {
            built.set_entry(0, 21);
            built.set_entry(1, 4);
            built.set_entry(3, 38);
        },
        "two blocks overlap: found block 2 at byte 19456 and block 3 at byte 19456, expected 8704 bytes for each",
    );
}

#[test]
fn locators_lead_to_names_inside_the_file() {
    let child = |change: &dyn Fn(&mut Built)| {
        let mut child = Vhd::child_of(&image(), "x.vhd");
        child.locators = vec![Locator::mac("file://./parent.vhd")];
        let mut built = child.build();
        change(&mut built);
        failure_of(&built)
    };
    assert_eq!(
        child(&|built| built.patch_header(576 + 16, &u64::MAX.to_be_bytes())),
        (
            Status::Damaged,
            "x.vhd: parent locator MacX lies outside the file: found 19 bytes at byte 18446744073709551615, expected \
             them before byte 3072"
                .into()
        )
    );
    assert_eq!(
        child(&|built| {
            built.bytes.resize(200_000, 0);
            built.patch_header(576 + 4, &u32::MAX.to_be_bytes());
            built.patch_header(576 + 8, &100_000_u32.to_be_bytes());
        }),
        (
            Status::Damaged,
            "x.vhd: parent locator MacX: impossible length: found 100000 bytes, expected at most 65536"
                .into()
        )
    );
    assert_eq!(
        child(&|built| built.patch_header(576 + 8, &600_u32.to_be_bytes())),
        (
            Status::Damaged,
            "x.vhd: parent locator MacX: impossible length: found 600 bytes, expected at most 512".into()
        )
    );
}

#[test]
fn a_footer_of_another_kind_in_front_does_not_help_a_damaged_one() {
    let mut image = image();
    image.tail = FooterCopy::Damaged;
    let mut built = image.build();
    let tail = built.tail;
    built.bytes[tail + 60..tail + 64].copy_from_slice(&2_u32.to_be_bytes());
    let (status, sentence) = failure_of(&built);
    assert_eq!(status, Status::Damaged);
    assert!(sentence.starts_with("x.vhd: footer at byte 36864: wrong checksum"), "{sentence}");
}
