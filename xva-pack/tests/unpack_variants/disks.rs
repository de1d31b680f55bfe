//! Several disks: their order, which of them have blocks, where each ends, and what follows the last.

use crate::archive_builder::{Archive, BLOCK, ova};
use crate::judge::Verdict::{Refused, Sound, Warned};
use crate::judge::{Variant, judge};
use crate::parts::{A, B, C, a, b, but_last, c, changed, old_gnu, one, whole};

/// Metadata of as many disks of a block, none of which a VBD uses but the last: its VDI is created without data.
fn last_is_used(disks: &[(&str, usize)]) -> Archive {
    let mut text = String::from_utf8(ova(disks)).unwrap();
    for _ in 1..disks.len() {
        text = text.replacen("<value>VBD</value>", "<value>unknown</value>", 1);
    }
    Archive::default().member("ova.xml", text.as_bytes())
}

fn first_is_unused() -> Archive {
    last_is_used(&[("Ref:000", BLOCK), ("Ref:001", BLOCK)])
}

/// Metadata of a disc in an SR of images, in a drive.
fn disc() -> Archive {
    let text = String::from_utf8(ova(&[("Ref:000", 3 * BLOCK)])).unwrap();
    let text = text.replace("content_type</name><value>user", "content_type</name><value>iso");
    let text = text
        .replace("<value>Disk</value>", "<value>CD</value>")
        .replace("<value>RW</value>", "<value>RO</value>");
    Archive::default().member("ova.xml", text.as_bytes())
}

#[rustfmt::skip]
fn variants() -> Vec<Variant> {
    let two = || Archive::with_ova(&[("Ref:000", 2 * BLOCK), ("Ref:001", BLOCK)]);
    vec![
        ("small disk last", Archive::with_ova(&[("Ref:000", 3 * BLOCK), ("Ref:001", 512)]).block(A, &a()).block(C, &c()).block("Ref:001/00000000", &a()[..512]).end(), Sound),
        ("small disk first, no gaps after it", Archive::with_ova(&[("Ref:0", 512), ("Ref:1", 2 * BLOCK)]).block("Ref:0/00000000", &a()[..512]).block("Ref:1/00000000", &b()).block("Ref:1/00000001", &c()).end(), Sound),
        ("byte order of prefixes", Archive::with_ova(&[("Ref:2", BLOCK), ("Ref:10", BLOCK)]).block("Ref:10/00000000", &a()).block("Ref:2/00000000", &b()).end(), Sound),
        ("one prefix begins another", Archive::with_ova(&[("Ref:1", BLOCK), ("Ref:10", BLOCK)]).block("Ref:1/00000000", &a()).block("Ref:10/00000000", &b()).end(), Sound),
        ("disk of an iso SR", changed("content_type</name><value>user", "content_type</name><value>iso").end(), Sound),
        ("disc in a drive", disc().end(), Sound),
        ("disk that no VBD uses", first_is_unused().block("Ref:001/00000000", &b()).end(), Sound),
        ("no end-of-tar", whole(one()).0, Warned("the end-of-tar is missing: xapi ignores that, Xen Orchestra")),
        ("junk after the last block", whole(one()).raw(b"junk").0, Warned("4 bytes follow the last block, not all zero")),
        ("junk after the end-of-tar", whole(one()).raw(&[0; 1024]).raw(b"junk").0, Warned("1028 bytes follow the last block, not all zero")),
        ("junk far past the end-of-tar", whole(one()).raw(&[0; 200_000]).raw(b"junk").0, Warned("200004 bytes follow the last block, not all zero")),
        ("junk and then zeros after the end-of-tar", whole(one()).raw(&[0; 1024]).raw(b"junk").raw(&[0; 200_000]).0, Warned("201028 bytes follow the last block, not all zero")),
        ("an empty block after the last one", whole(one()).block("Ref:000/00000003", b"").end(), Refused(3, "lies past the end of the disk: found byte 12288, expected less than 12288")),
        ("members after the last block", whole(one()).member("more", b"1").end(), Warned("2048 bytes follow the last block")),
        ("other names after the last block", whole(one()).block("./more/123", b"1").end(), Warned("bytes follow the last block, not all zero: xapi ignores them")),
        ("a part of the end-of-tar", whole(one()).raw(&[0; 700]).0, Warned("the end-of-tar is missing")),
        ("a member that is no block in a disk that ended", two().block(A, &a()).block(B, &b()).member("Ref:000/x", b"").block("Ref:001/00000000", &b()).end(), Refused(3, "Ref:000/x at byte")),
        ("a member that is no block in a disk to come", two().block(A, &a()).member("Ref:001/x", b"").block(B, &b()).block("Ref:001/00000000", &b()).end(), Refused(3, "is neither a block nor a checksum")),
        ("last block missing before another disk", two().block(A, &a()).block("Ref:001/00000000", &b()).end(), Refused(3, "disk Ref:000 ends early: found 4096 bytes, expected 8192")),
        ("last block missing at the end", but_last().end(), Refused(3, "disk Ref:000 ends early: found 4096 bytes, expected 12288")),
        ("a disk missing", two().block(A, &a()).block(B, &b()).end(), Refused(3, "disk Ref:001 has no block")),
        ("numeric order of prefixes", Archive::with_ova(&[("Ref:2", BLOCK), ("Ref:10", BLOCK)]).block("Ref:2/00000000", &b()).block("Ref:10/00000000", &a()).end(), Refused(3, "found a block of another disk, expected one of Ref:10")),
        ("disks mixed", two().block(A, &a()).block("Ref:001/00000000", &b()).block(B, &b()).end(), Refused(3, "disk Ref:000 ends early")),
        ("small disk first, a gap after it", Archive::with_ova(&[("Ref:0", 512), ("Ref:1", 3 * BLOCK)]).block("Ref:0/00000000", &a()[..512]).block("Ref:1/00000000", &b()).block("Ref:1/00000002", &c()).end(), Refused(3, "disk Ref:1 ends early: found 8704 bytes, expected 12288")),
        ("blocks of a disc in a drive", whole(disc()).end(), Refused(3, "xapi does not import it: Ref:000/00000000 at byte ")),
        ("blocks of a disk that no VBD uses, before another", first_is_unused().block(A, &a()).block("Ref:001/00000000", &b()).end(), Refused(3, "ova.xml has this disk, but expects no blocks of it")),
        ("blocks of a disk that is not in ova.xml", whole(one().block("Ref:111/00000000", &a())).end(), Refused(3, "ova.xml has no such disk")),
        ("a disk twice", whole(one()).block(A, &a()).block(C, &c()).end(), Refused(3, "the block number does not increase: found 00000000, expected more than 00000002")),
        ("blocks of a disk of an iso SR", changed("content_type</name><value>user", "content_type</name><value>iso").block(A, &a()).end(), Refused(3, "stands after the last block that ova.xml announces")),
        ("blocks of a disk of no bytes", Archive::with_ova(&[("Ref:000", BLOCK), ("Ref:001", 0)]).block(A, &a()).block("Ref:001/00000000", &b()).end(), Refused(3, "xapi does not import it: Ref:001/00000000 at byte ")),
        ("a block with a long name after the end", whole(one()).member_with("././@LongLink", b"Ref:001/00000000\0", old_gnu).block("x", &c()).end(), Refused(3, "xapi does not import it: Ref:001/00000000 at byte ")),
    ]
}

#[test]
fn disks_begin_and_end_where_the_importer_expects_them() {
    judge(variants());
}
