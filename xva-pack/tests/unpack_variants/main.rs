//! A table of archives, sound and broken: each is taken or refused as xapi's importer would, with the reason.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod archive_builder;

use archive_builder::{Archive, BLOCK, data, ova, ova_with, seal, unpack, unpack_file};
use xva_pack::xva::checksum::Algorithm;
use xva_pack::xva::tar_member::header as v7;

/// What `--verify` must say.
enum Verdict {
    /// Status 0, and nothing on stderr.
    Sound,
    /// Status 0, and a warning with this in it.
    Warned(&'static str),
    /// This status, and one line with this in it.
    Refused(i32, &'static str),
}

use Verdict::{Refused, Sound, Warned};

const A: &str = "Ref:000/00000000";
const B: &str = "Ref:000/00000001";
const C: &str = "Ref:000/00000002";

fn a() -> Vec<u8> {
    data(1, BLOCK)
}

fn b() -> Vec<u8> {
    data(2, BLOCK)
}

fn c() -> Vec<u8> {
    data(3, BLOCK)
}

/// Metadata of one disk of three blocks.
fn one() -> Archive {
    Archive::with_ova(&[("Ref:000", 3 * BLOCK)])
}

/// One disk of three blocks, the last of which is still to come.
fn but_last() -> Archive {
    one().block(A, &a())
}

/// Metadata of one disk, changed.
fn changed(from: &str, to: &str) -> Archive {
    replaced(ova(&[("Ref:000", 3 * BLOCK)]), from, to)
}

/// Metadata of two disks, of which a CD uses the first.
fn first_is_a_cd() -> Archive {
    let text = String::from_utf8(ova(&[("Ref:000", BLOCK), ("Ref:001", BLOCK)])).unwrap();
    Archive::default()
        .member("ova.xml", text.replacen("<value>Disk</value>", "<value>CD</value>", 1).as_bytes())
}

/// Metadata of a machine with one disk and a network card, changed.
fn networked(from: &str, to: &str) -> Archive {
    replaced(ova_with(&[("Ref:000", 3 * BLOCK)], &["lan"]), from, to)
}

fn replaced(metadata: Vec<u8>, from: &str, to: &str) -> Archive {
    let text = String::from_utf8(metadata).unwrap();
    assert!(text.contains(from), "{from}");
    Archive::default().member("ova.xml", text.replace(from, to).as_bytes())
}

fn whole(metadata: Archive) -> Archive {
    metadata.block(A, &a()).block(C, &c())
}

fn ustar(header: &mut [u8; 512]) {
    archive_builder::ustar(header, b'0');
}

/// A ustar header with its name in two fields.
fn split_ustar(header: &mut [u8; 512]) {
    ustar(header);
    let name = header[..100].split(|&byte| byte == 0).next().unwrap().to_vec();
    let slash = name.iter().position(|&byte| byte == b'/').unwrap();
    header[..100].fill(0);
    header[..name.len() - slash - 1].copy_from_slice(&name[slash + 1..]);
    header[345..345 + slash].copy_from_slice(&name[..slash]);
}

fn kind(kind: u8) -> impl FnOnce(&mut [u8; 512]) {
    move |header| archive_builder::ustar(header, kind)
}

fn old_gnu(header: &mut [u8; 512]) {
    header[257..265].copy_from_slice(b"ustar  \0");
    header[156] = b'L';
}

/// A pax header of `length` bytes (five digits) that says nothing of consequence.
fn pax_comment(length: usize) -> Vec<u8> {
    let begin = format!("{length} comment=");
    format!("{begin}{}\n", "x".repeat(length - begin.len() - 1)).into_bytes()
}

fn many_values() -> Vec<u8> {
    format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(1 << 18)).into_bytes()
}

fn sum(algorithm: Algorithm, data: &[u8]) -> String {
    algorithm.text(data)
}

/// What the importer takes.
#[rustfmt::skip]
fn taken() -> Vec<(&'static str, Vec<u8>, Verdict)> {
    let xxh = sum(Algorithm::Xxhash, &c());
    vec![
        ("as xapi writes it", whole(one()).end(), Sound),
        ("SHA-1", one().block_by(A, &a(), Algorithm::Sha1).block_by(C, &c(), Algorithm::Sha1).end(), Sound),
        ("both checksums", one().block_by(A, &a(), Algorithm::Sha1).block(C, &c()).end(), Sound),
        ("every block, zeros too", one().block(A, &a()).block(B, &[0; BLOCK]).block(C, &c()).end(), Sound),
        ("ustar with a prefix", but_last().member_with(C, &c(), split_ustar).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("GNU long name", but_last().member_with("././@LongLink", format!("{C}\0").as_bytes(), old_gnu).member("x", &c()).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("GNU long target of a link", but_last().member_with("././@LongLink", b"elsewhere\0", |h| { old_gnu(h); h[156] = b'K'; }).block(C, &c()).end(), Sound),
        ("pax header of 64 KiB", but_last().member_with("x", &pax_comment(65_536), kind(b'x')).block(C, &c()).end(), Sound),
        ("pax path", but_last().member_with("PaxHeader/x", b"25 path=Ref:000/00000002\n", kind(b'x')).member_with("x", &c(), ustar).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("pax size", but_last().member_with("PaxHeader/x", b"13 size=4096\n", kind(b'x')).raw(&{ let mut h = xva_pack::xva::tar_member::header(C, 5, 0).unwrap(); ustar(&mut h); seal(&mut h); h }).data(&c()).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("one global pax header", but_last().member_with("g", b"13 comment=x\n", kind(b'g')).block(C, &c()).end(), Sound),
        ("numbers end with spaces", but_last().member_with(C, &c(), |h| { h[124..136].copy_from_slice(b"      10000 "); h[108..116].copy_from_slice(b"  1750  "); }).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("blank numbers", but_last().member_with(C, &c(), |h| { h[100..124].fill(b' '); h[136..148].fill(0); }).checksum(C, ".xxhash", &xxh).end(), Sound),
        ("one zero record between members", but_last().raw(&[0; 512]).block(C, &c()).end(), Sound),
        ("a keepalive", one().block(A, &a()).block(B, b"").block(C, &b()).block("Ref:000/00000003", &c()).end(), Sound),
        ("short last block", Archive::with_ova(&[("Ref:000", 2 * BLOCK + 512)]).block(A, &a()).block(C, &c()[..512]).end(), Sound),
        ("first block is not number 0", one().block(B, &b()).block(C, &c()).end(), Sound),
        ("numbers without leading zeros", one().block("Ref:000/0", &a()).block("Ref:000/2", &c()).end(), Sound),
        ("padded to 10 KiB by GNU tar", whole(one()).raw(&[0; 4096]).end(), Sound),
        ("small disk last", Archive::with_ova(&[("Ref:000", 3 * BLOCK), ("Ref:001", 512)]).block(A, &a()).block(C, &c()).block("Ref:001/00000000", &a()[..512]).end(), Sound),
        ("small disk first, no gaps after it", Archive::with_ova(&[("Ref:0", 512), ("Ref:1", 2 * BLOCK)]).block("Ref:0/00000000", &a()[..512]).block("Ref:1/00000000", &b()).block("Ref:1/00000001", &c()).end(), Sound),
        ("byte order of prefixes", Archive::with_ova(&[("Ref:2", BLOCK), ("Ref:10", BLOCK)]).block("Ref:10/00000000", &a()).block("Ref:2/00000000", &b()).end(), Sound),
        ("one prefix begins another", Archive::with_ova(&[("Ref:1", BLOCK), ("Ref:10", BLOCK)]).block("Ref:1/00000000", &a()).block("Ref:10/00000000", &b()).end(), Sound),
        ("export_vsn 3", whole(changed("export_vsn</name><value>2", "export_vsn</name><value>3")).end(), Sound),
        ("typed values, blanks, a declaration", whole(changed("<value>12288</value>", "<value>\n <i8>12288</i8> </value>").member_with("y", b"", kind(b'g'))).end(), Sound),
        ("disk of an iso SR", changed("content_type</name><value>user", "content_type</name><value>iso").end(), Sound),
        ("disk that only a CD uses", changed("<value>Disk</value>", "<value>CD</value>").end(), Sound),
        ("no end-of-tar", whole(one()).0, Warned("the end-of-tar is missing: xapi ignores that, Xen Orchestra")),
        ("junk after the last block", whole(one()).raw(b"junk").0, Warned("4 bytes follow the last block, not all zero")),
        ("junk after the end-of-tar", whole(one()).raw(&[0; 1024]).raw(b"junk").0, Warned("1028 bytes follow the last block, not all zero")),
        ("junk far past the end-of-tar", whole(one()).raw(&[0; 200_000]).raw(b"junk").0, Warned("200004 bytes follow the last block, not all zero")),
        ("junk and then zeros after the end-of-tar", whole(one()).raw(&[0; 1024]).raw(b"junk").raw(&[0; 200_000]).0, Warned("201028 bytes follow the last block, not all zero")),
        ("an empty block after the last one", whole(one()).block("Ref:000/00000003", b"").end(), Warned("bytes follow the last block, not all zero: xapi ignores them")),
        ("members after the last block", whole(one()).member("more", b"1").end(), Warned("2048 bytes follow the last block")),
        ("other names after the last block", whole(one()).block("./more/123", b"1").end(), Warned("bytes follow the last block, not all zero: xapi ignores them")),
        ("a part of the end-of-tar", whole(one()).raw(&[0; 700]).0, Warned("the end-of-tar is missing")),
        ("no power_state", whole(changed("power_state", "powerstate")).end(), Warned("field power_state is missing; xapi 1.110 to 1.249 refuses records without it")),
        ("no metrics of a VBD", whole(changed("currently_attached</name><value><boolean>0</boolean></value></member><member><name>metrics", "currently_attached</name><value><boolean>0</boolean></value></member><member><name>m")).end(), Warned("xapi 1.110 to 22.3 refuses records without it")),
        ("no type of an SR", whole(changed("shared</name>", "sh</name>")).end(), Warned(": field shared is missing; xapi refuses records without it")),
        ("a network card", whole(networked("lan", "lan")).end(), Sound),
        ("checksum table of export_vsn 1", whole(changed("export_vsn</name><value>2", "export_vsn</name><value>1")).member("checksum.xml", b"<value/>").end(), Warned("is not compared")),
        ("no ova.xml", whole(Archive::default()).end(), Warned("has no ova.xml: xapi does not import it alone")),
    ]
}

/// What the importer refuses, or would misplace.
#[rustfmt::skip]
fn refused() -> Vec<(&'static str, Vec<u8>, Verdict)> {
    let xxh = sum(Algorithm::Xxhash, &c());
    let lower = xxh.to_lowercase();
    let upper = sum(Algorithm::Sha1, &c()).to_uppercase();
    let mut wrong_header = whole(one()).end();
    let first_block = wrong_header.windows(A.len()).position(|name| name == A.as_bytes()).unwrap();
    wrong_header[first_block + 101] ^= 1;
    let two = || Archive::with_ova(&[("Ref:000", 2 * BLOCK), ("Ref:001", BLOCK)]);
    let far = "Ref:000/99999999";
    vec![
        ("wrong header checksum", wrong_header, Refused(3, "the checksum of the tar header is wrong: found 6")),
        ("base-256 number", but_last().member_with(C, &c(), |h| h[108..116].copy_from_slice(b"\x80\0\0\0\0\x20\0\0")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "is in base 256, expected octal")),
        ("./ova.xml", Archive::default().member("./ova.xml", &ova(&[("Ref:000", BLOCK)])).block(A, &a()).end(), Refused(3, "ova.xml at byte 0: the name begins with ./")),
        ("./ before a block", one().block(&format!("./{A}"), &a()).block(C, &c()).end(), Refused(3, "xapi refuses it: ./Ref:000/00000000 at byte")),
        ("a directory", whole(one().member_with("Ref:000/", b"", kind(b'5'))).end(), Refused(3, ": is not a part of an XVA")),
        ("another member on the way", but_last().member("notes.txt", b"hello").block(C, &c()).end(), Refused(3, "notes.txt at byte")),
        ("a member in a directory that is no disk", but_last().member("notes/x", b"hello").block(C, &c()).end(), Refused(3, "xapi refuses it: notes/x at byte")),
        ("a directory with data", but_last().member_with("notes", b"hello", kind(b'5')).block(C, &c()).end(), Refused(3, "found 5 bytes of data in a member of type 5, expected a file")),
        ("a member that is no block in a disk that ended", two().block(A, &a()).block(B, &b()).member("Ref:000/x", b"").block("Ref:001/00000000", &b()).end(), Refused(3, "Ref:000/x at byte")),
        ("a member that is no block in a disk to come", two().block(A, &a()).member("Ref:001/x", b"").block(B, &b()).block("Ref:001/00000000", &b()).end(), Refused(3, "is neither a block nor a checksum")),
        ("a member that is no block, without ova.xml", Archive::default().block(A, &a()).member("Ref:000/x", b"").end(), Refused(3, "is neither a block nor a checksum")),
        ("a member that is no block in a disk that ended, without ova.xml", Archive::default().block(A, &a()).block("Ref:001/00000000", &b()).member("Ref:000/x", b"").end(), Refused(3, "is neither a block nor a checksum")),
        ("a member in a directory that is no disk, without ova.xml", Archive::default().block(A, &a()).member("notes/x", b"").end(), Refused(3, "notes/x at byte 5632: is not a part of an XVA")),
        ("last block missing before another disk", two().block(A, &a()).block("Ref:001/00000000", &b()).end(), Refused(3, "disk Ref:000 ends early: found 4096 bytes, expected 8192")),
        ("last block missing at the end", but_last().end(), Refused(3, "disk Ref:000 ends early: found 4096 bytes, expected 12288")),
        ("a disk missing", two().block(A, &a()).block(B, &b()).end(), Refused(3, "disk Ref:001 has no block")),
        ("a block twice", but_last().block(A, &a()).block(C, &c()).end(), Refused(3, "does not increase: found 00000000, expected more than 00000000")),
        ("numbers decrease", one().block(B, &a()).block(A, &c()).end(), Refused(3, "found 00000000, expected more than 00000001")),
        ("a ninth digit", Archive::with_ova(&[("Ref:000", 512 * 100_000_001)]).block(A, &a()[..512]).block(far, &b()[..512]).block("Ref:000/100000000", &c()[..512]).end(), Refused(3, "Ref:000/100000000 at byte")),
        ("a number beyond 64 bits", but_last().block("Ref:000/99999999999999999999", &c()).end(), Refused(3, "the block number is too large")),
        ("a number with an x", but_last().block("Ref:000/0x2", &c()).end(), Refused(3, "is neither a block nor a checksum")),
        ("lower-case XXH64", but_last().member(C, &c()).checksum(C, ".xxhash", &lower).end(), Refused(3, "xapi refuses it: Ref:000/00000002.xxhash at byte")),
        ("upper-case SHA-1", but_last().member(C, &c()).checksum(C, ".checksum", &upper).end(), Refused(3, "xapi refuses it: Ref:000/00000002.checksum at byte")),
        ("a newline in a checksum", but_last().member(C, &c()).checksum(C, ".xxhash", &format!("{xxh}\n")).end(), Refused(3, "the checksum is not that of the block")),
        ("wrong checksum", but_last().member(C, &c()).checksum(C, ".xxhash", &sum(Algorithm::Xxhash, &a())).end(), Refused(3, ": the checksum is not that of the block: found ")),
        ("wrong SHA-1", but_last().member(C, &c()).checksum(C, ".checksum", &sum(Algorithm::Sha1, &a())).end(), Refused(3, "the checksum is not that of the block: found ")),
        ("empty checksum", but_last().member(C, &c()).checksum(C, ".xxhash", "").end(), Refused(3, "the checksum is not that of the block")),
        ("checksum of a thousand bytes", but_last().member(C, &c()).checksum(C, ".xxhash", &"0".repeat(1000)).end(), Refused(3, "is not a checksum: found 1000 bytes, expected 16")),
        ("no checksum", one().member(A, &a()).block(C, &c()).end(), Refused(3, "the block has no checksum: found Ref:000/00000002 after it")),
        ("no checksum at the end", but_last().member(C, &c()).end(), Refused(3, "found the end-of-tar after it")),
        ("unknown checksum", but_last().member(C, &c()).checksum(C, ".md5", "900150983cd24fb0d6963f7d28e17f72").end(), Refused(3, "found Ref:000/00000002.md5 after it")),
        ("checksum of another block", but_last().member(C, &c()).checksum(B, ".xxhash", &xxh).end(), Refused(3, "the block has no checksum")),
        ("checksum before its block", but_last().checksum(C, ".xxhash", &xxh).member(C, &c()).end(), Refused(3, "does not follow the block that it belongs to")),
        ("numeric order of prefixes", Archive::with_ova(&[("Ref:2", BLOCK), ("Ref:10", BLOCK)]).block("Ref:2/00000000", &b()).block("Ref:10/00000000", &a()).end(), Refused(3, "found a block of another disk, expected one of Ref:10")),
        ("disks mixed", two().block(A, &a()).block("Ref:001/00000000", &b()).block(B, &b()).end(), Refused(3, "disk Ref:000 ends early")),
        ("length is no multiple of 512", Archive::with_ova(&[("Ref:000", 2 * BLOCK + 500)]).block(A, &a()).block(C, &c()[..500]).end(), Refused(3, "found 500 bytes, expected a multiple of 512")),
        ("small disk first, a gap after it", Archive::with_ova(&[("Ref:0", 512), ("Ref:1", 3 * BLOCK)]).block("Ref:0/00000000", &a()[..512]).block("Ref:1/00000000", &b()).block("Ref:1/00000002", &c()).end(), Refused(3, "disk Ref:1 ends early: found 8704 bytes, expected 12288")),
        ("last block too long, zeros", Archive::with_ova(&[("Ref:000", BLOCK + 512)]).block(A, &a()).block(B, &[0; BLOCK]).end(), Refused(3, ": goes beyond the end of the disk: found 3584 bytes too many")),
        ("last block too long, data", Archive::with_ova(&[("Ref:000", BLOCK + 512)]).block(A, &a()).block(B, &b()).end(), Refused(3, "goes beyond the end of the disk: found 3584 bytes too many")),
        ("last block too far", one().block(A, &a()).block("Ref:000/00000003", &c()).end(), Refused(3, "lies past the end of the disk: found byte 12288, expected less than 12288")),
        ("empty block in place of the last", one().block(A, &a()).block("Ref:000/00000003", b"").end(), Refused(3, "lies past the end of the disk: found byte 12288, expected less than 12288")),
        ("empty first block, then a gap", one().block(A, b"").block(C, &a()).end(), Refused(3, "the first block of the archive, whose length they would have, is empty")),
        ("a block is a link", but_last().member_with(C, b"", kind(b'1')).end(), Refused(3, "is a link or a directory: expected a file")),
        ("sparse by GNU tar", but_last().member_with(C, &c(), kind(b'S')).end(), Refused(3, "is stored sparse: expected an archive made without tar --sparse")),
        ("two global pax headers", but_last().member_with("g", b"13 comment=x\n", kind(b'g')).member_with("g", b"13 comment=x\n", kind(b'g')).block(C, &c()).end(), Refused(3, "several global pax headers in a row")),
        ("pax header of more than 64 KiB", but_last().member_with("x", &pax_comment(65_537), kind(b'x')).block(C, &c()).end(), Refused(3, "an extended header is too long: found 65537 bytes, expected at most 65536")),
        ("damaged pax header", but_last().member_with("x", b"99 path=x\n", kind(b'x')).block(C, &c()).end(), Refused(3, "the pax header is damaged")),
        ("ova.xml is not first", Archive::default().block(A, &a()).member("ova.xml", &ova(&[("Ref:000", BLOCK)])).end(), Refused(3, "ova.xml at byte 5632: is not the first member")),
        ("export_vsn 0", whole(changed("export_vsn</name><value>2", "export_vsn</name><value>0")).end(), Refused(3, "export_vsn is 0 or missing: expected 2")),
        ("no xapi_major", whole(changed("xapi_major", "xapi_m")).end(), Refused(3, "version: xapi_major is missing")),
        ("empty key in ova.xml", whole(changed("<name>order</name>", "<name></name>")).end(), Refused(3, "a struct has a member without a name")),
        ("ova.xml is cut off", whole(Archive::default().member("ova.xml", &ova(&[("Ref:000", BLOCK)])[..5000])).end(), Refused(3, "ova.xml at byte 0: is not")),
        ("dangling VDI", whole(changed("VDI</name><value>Ref:000", "VDI</name><value>Ref:999")).end(), Refused(3, "VDI \"Ref:999\" is not among the objects")),
        ("blocks of a disk that only a CD uses", whole(changed("<value>Disk</value>", "<value>CD</value>").block("Ref:001/00000000", &a())).end(), Refused(3, "xapi does not import it: Ref:001/00000000 at byte ")),
        ("blocks of a disk that only a CD uses, before another", first_is_a_cd().block(A, &a()).block("Ref:001/00000000", &b()).end(), Refused(3, "ova.xml has this disk, but expects no blocks of it")),
        ("blocks of a disk that is not in ova.xml", whole(one().block("Ref:111/00000000", &a())).end(), Refused(3, "ova.xml has no such disk")),
        ("a disk twice", whole(one()).block(A, &a()).block(C, &c()).end(), Refused(3, "xapi does not import it: Ref:000/00000000 at byte ")),
        ("blocks of a disk of an iso SR", changed("content_type</name><value>user", "content_type</name><value>iso").block(A, &a()).end(), Refused(3, "holds data after the last block that ova.xml announces")),
        ("blocks of a disk of no bytes", Archive::with_ova(&[("Ref:000", BLOCK), ("Ref:001", 0)]).block(A, &a()).block("Ref:001/00000000", &b()).end(), Refused(3, "xapi does not import it: Ref:001/00000000 at byte ")),
        ("a block with a long name after the end", whole(one()).member_with("././@LongLink", b"Ref:001/00000000\0", old_gnu).block("x", &c()).end(), Refused(3, "xapi does not import it: Ref:001/00000000 at byte ")),
        ("mode is no number", but_last().member_with(C, &c(), |h| h[100..108].copy_from_slice(b"rw-r--r-")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the mode in its header is not a number")),
        ("mtime is negative", but_last().member_with(C, &c(), |h| h[136..148].copy_from_slice(b"-0000000001\0")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the mtime in its header is not a number")),
        ("devminor is no number", but_last().member_with(C, &c(), |h| { ustar(h); h[337..345].copy_from_slice(b"00000x0\0"); }).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the devminor in its header is not a number")),
        ("a blank inside the size", but_last().member_with(C, &c(), |h| h[124..136].copy_from_slice(b"00000 10000\0")).checksum(C, ".xxhash", &xxh).end(), Refused(3, "the size in the tar header is not a number")),
        ("global pax path", but_last().member_with("g", b"25 path=Ref:000/00000002\n", kind(b'g')).block(C, &c()).end(), Refused(3, "a global pax header sets a path or size")),
        ("global pax size", but_last().member_with("g", b"13 size=4096\n", kind(b'g')).block(C, &c()).end(), Refused(3, "a global pax header sets a path or size")),
        ("no user_version", whole(changed("user_version", "userversion")).end(), Refused(3, ": field user_version is missing")),
        ("no bootable", whole(changed("<name>bootable<", "<name>boot<")).end(), Refused(3, ": field bootable is missing")),
        ("a boolean without its type", whole(changed("is_a_template</name><value><boolean>0</boolean>", "is_a_template</name><value>0")).end(), Refused(3, ": field is_a_template has the wrong type: expected <boolean>")),
        ("VBD of no VM", whole(changed("<name>class</name><value>VM<", "<name>class</name><value>host<")).end(), Refused(3, "is not among the objects")),
        ("VIF of no network", whole(networked("class</name><value>network", "class</name><value>host")).end(), Refused(3, ": network \"Ref:")),
        ("VIF of no VM", whole(networked("VM</name><value>Ref:1000</value></member><member><name>MAC", "VM</name><value>Ref:9</value></member><member><name>MAC")).end(), Refused(3, ": VM \"Ref:9\" is not among the objects")),
        ("gzip", [&b"\x1f\x8b\x08\0"[..], &[1; 600]].concat(), Refused(4, "is compressed with gzip: expected a tar; try: gzip -dc ")),
        ("zstd", [&b"\x28\xb5\x2f\xfd"[..], &[1; 600]].concat(), Refused(4, "is compressed with zstd: expected a tar; try: zstd -dc ")),
        ("zstd by pzstd", [&b"\x50\x2a\x4d\x18"[..], &[1; 600]].concat(), Refused(4, "is compressed with zstd")),
        ("a block of 16 MiB that is cut off", Archive::default().raw(&v7(A, 16 << 20, 0).unwrap()).0, Refused(3, "ends early, in Ref:000/00000000")),
        ("a block of more than 16 MiB", Archive::default().raw(&v7(A, (16 << 20) + 512, 0).unwrap()).0, Refused(4, "the block is too large: found 16777728 bytes")),
        ("ova.xml of 8 MiB that is cut off", Archive::default().raw(&v7("ova.xml", 8 << 20, 0).unwrap()).0, Refused(3, "ends early, in ova.xml")),
        ("ova.xml of more than 8 MiB", Archive::default().raw(&v7("ova.xml", (8 << 20) + 1, 0).unwrap()).0, Refused(4, "ova.xml is too large: found 8388609 bytes")),
        ("ova.xml of too many values", Archive::default().member("ova.xml", &many_values()).block(A, &a()).end(), Refused(4, "too large: expected at most 262144 values")),
        ("empty", Vec::new(), Refused(3, "is empty: expected an archive")),
        ("only an end-of-tar", vec![0; 1024], Refused(3, "is empty: expected an archive")),
        ("another tar", Archive::default().member("hello.txt", b"x").end(), Refused(3, "hello.txt at byte 0: is not a part of an XVA")),
        ("text", vec![b'x'; 2000], Refused(3, "at byte 0: is not a tar header")),
        ("no ova.xml, no end-of-tar", whole(Archive::default()).0, Refused(3, "ends early: found no end-of-tar")),
        ("no ova.xml, order of prefixes", Archive::default().block("Ref:2/00000000", &b()).block("Ref:10/00000000", &a()).end(), Refused(3, "the disk comes after Ref:2")),
    ]
}

#[test]
fn every_variant_is_judged_as_the_importer_would() {
    let folder = tempfile::tempdir().unwrap();
    let variants: Vec<_> = taken().into_iter().chain(refused()).collect();
    assert!(variants.len() >= 80, "{}", variants.len());
    let mut wrong = Vec::new();
    for (name, archive, verdict) in variants {
        let (status, said, lines) = match verdict {
            Sound => (0, "", 0),
            Warned(said) => (0, said, 1),
            Refused(status, said) => (status, said, 1),
        };
        for answer in [unpack(&archive, &["--verify"]), unpack_file(folder.path(), &archive, &["--verify"])] {
            let as_expected = answer.status == status
                && answer.stderr.contains(said)
                && answer.stderr.lines().count() == lines
                && answer.stdout.is_empty() == (status != 0);
            if !as_expected {
                wrong.push(format!(
                    "{name}: expected {status} {said:?}, found {} {}",
                    answer.status, answer.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_finding_names_the_byte_at_which_its_member_begins() {
    let sound = but_last();
    let byte = sound.0.len() + 512 + BLOCK;
    let archive = sound.member(C, &c()).checksum(C, ".xxhash", &sum(Algorithm::Xxhash, &a())).end();
    let said = unpack(&archive, &["--verify"]).stderr;
    let expected =
        format!("standard input: {C}.xxhash at byte {byte}: the checksum is not that of the block: found ");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn without_ova_xml_the_limits_of_the_answer_are_said() {
    let answer = unpack(&whole(Archive::default()).end(), &[]);
    assert_eq!(answer.status, 0);
    let said = answer.stderr;
    assert!(said.contains("has no ova.xml: xapi does not import it alone"), "{said}");
}
