//! The tar around the blocks: dialects, names, numbers, members that are none of an XVA.

use xva_pack::xva::checksum::Algorithm;

use crate::archive_builder::{Archive, BLOCK, ova, seal};
use crate::judge::Verdict::{Refused, Sound};
use crate::judge::{Variant, judge};
use crate::parts::{A, C, a, but_last, c, kind, old_gnu, one, sum, ustar, whole};

/// A ustar header with its name in two fields.
fn split_ustar(header: &mut [u8; 512]) {
    ustar(header);
    let name = header[..100].split(|&byte| byte == 0).next().unwrap().to_vec();
    let slash = name.iter().position(|&byte| byte == b'/').unwrap();
    header[..100].fill(0);
    header[..name.len() - slash - 1].copy_from_slice(&name[slash + 1..]);
    header[345..345 + slash].copy_from_slice(&name[..slash]);
}

/// A pax header of `length` bytes (five digits) that says nothing of consequence.
fn pax_comment(length: usize) -> Vec<u8> {
    let begin = format!("{length} comment=");
    format!("{begin}{}\n", "x".repeat(length - begin.len() - 1)).into_bytes()
}

#[rustfmt::skip]
fn variants() -> Vec<Variant> {
    let xxh = sum(Algorithm::Xxhash, &c());
    let mut wrong_header = whole(one()).end();
    let first_block = wrong_header.windows(A.len()).position(|name| name == A.as_bytes()).unwrap();
    wrong_header[first_block + 101] ^= 1;
    vec![
        ("ustar with a prefix", but_last().member_with(C, &c(), split_ustar).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("GNU long name", but_last().member_with("././@LongLink", format!("{C}\0").as_bytes(), old_gnu).member("x", &c()).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("GNU long target of a link", but_last().member_with("././@LongLink", b"elsewhere\0", |h| { old_gnu(h); h[156] = b'K'; }).block(C, &c()).end(), Sound),
        ("pax header of 64 KiB", but_last().member_with("x", &pax_comment(65_536), kind(b'x')).block(C, &c()).end(), Sound),
        ("pax path", but_last().member_with("PaxHeader/x", b"25 path=Ref:000/00000002\n", kind(b'x')).member_with("x", &c(), ustar).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("pax size", but_last().member_with("PaxHeader/x", b"13 size=4096\n", kind(b'x')).raw(&{ let mut h = xva_pack::xva::tar_member::header(C, 5).unwrap(); ustar(&mut h); seal(&mut h); h }).data(&c()).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("one global pax header", but_last().member_with("g", b"13 comment=x\n", kind(b'g')).block(C, &c()).end(), Sound),
        ("numbers end with spaces", but_last().member_with(C, &c(), |h| { h[124..136].copy_from_slice(b"      10000 "); h[108..116].copy_from_slice(b"  1750  "); }).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("blank numbers", but_last().member_with(C, &c(), |h| { h[100..124].fill(b' '); h[136..148].fill(0); }).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("one zero record between members", but_last().raw(&[0; 512]).block(C, &c()).end(), Sound),
        ("padded to 10 KiB by GNU tar", whole(one()).raw(&[0; 4096]).end(), Sound),
        ("wrong header checksum", wrong_header, Refused(3, "the checksum of the tar header is wrong: found 6")),
        ("base-256 number", but_last().member_with(C, &c(), |h| h[108..116].copy_from_slice(b"\x80\0\0\0\0\x20\0\0")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "is in base 256, expected octal")),
        ("./ova.xml", Archive::default().member("./ova.xml", &ova(&[("Ref:000", BLOCK)])).block(A, &a()).end(), Refused(3, "ova.xml at byte 0: the name begins with ./")),
        ("./ before a block", one().block(&format!("./{A}"), &a()).block(C, &c()).end(), Refused(3, "xapi refuses it: ./Ref:000/00000000 at byte")),
        ("a directory", whole(one().member_with("Ref:000/", b"", kind(b'5'))).end(), Refused(3, ": is not a part of an XVA")),
        ("another member on the way", but_last().member("notes.txt", b"hello").block(C, &c()).end(), Refused(3, "notes.txt at byte")),
        ("a member in a directory that is no disk", but_last().member("notes/x", b"hello").block(C, &c()).end(), Refused(3, "xapi refuses it: notes/x at byte")),
        ("a directory with data", but_last().member_with("notes", b"hello", kind(b'5')).block(C, &c()).end(), Refused(3, "found 5 bytes of data in a member of type 5, expected a file")),
        ("a member in a directory that is no disk, without ova.xml", Archive::default().block(A, &a()).member("notes/x", b"").end(), Refused(3, "notes/x at byte 5632: is not a part of an XVA")),
        ("a block is a link", but_last().member_with(C, b"", kind(b'1')).end(), Refused(3, "is a link or a directory: expected a file")),
        ("sparse by GNU tar", but_last().member_with(C, &c(), kind(b'S')).end(), Refused(3, "is stored sparse: expected an archive made without tar --sparse")),
        ("two global pax headers", but_last().member_with("g", b"13 comment=x\n", kind(b'g')).member_with("g", b"13 comment=x\n", kind(b'g')).block(C, &c()).end(), Refused(3, "several global pax headers in a row")),
        ("pax header of more than 64 KiB", but_last().member_with("x", &pax_comment(65_537), kind(b'x')).block(C, &c()).end(), Refused(3, "an extended header is too long: found 65537 bytes, expected at most 65536")),
        ("damaged pax header", but_last().member_with("x", b"99 path=x\n", kind(b'x')).block(C, &c()).end(), Refused(3, "the pax header is damaged")),
        ("mode is no number", but_last().member_with(C, &c(), |h| h[100..108].copy_from_slice(b"rw-r--r-")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the mode in its header is not a number")),
        ("mtime is negative", but_last().member_with(C, &c(), |h| h[136..148].copy_from_slice(b"-0000000001\0")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the mtime in its header is not a number")),
        ("devminor is no number", but_last().member_with(C, &c(), |h| { ustar(h); h[337..345].copy_from_slice(b"00000x0\0"); }).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the devminor in its header is not a number")),
        ("a blank inside the size", but_last().member_with(C, &c(), |h| h[124..136].copy_from_slice(b"00000 10000\0")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the size in the tar header is not a number")),
        ("global pax path", but_last().member_with("g", b"25 path=Ref:000/00000002\n", kind(b'g')).block(C, &c()).end(), Refused(3, "a global pax header sets a path or size")),
        ("global pax size", but_last().member_with("g", b"13 size=4096\n", kind(b'g')).block(C, &c()).end(), Refused(3, "a global pax header sets a path or size")),
    ]
}

#[test]
fn the_tar_around_the_blocks_is_read_as_the_importer_reads_it() {
    judge(variants());
}
