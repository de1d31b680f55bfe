//! The blocks of one disk: their names, lengths and checksums.

use xva_pack::xva::checksum::Algorithm;
use xva_pack::xva::tar_member::header as v7;

use crate::archive_builder::{Archive, BLOCK, unpack};
use crate::judge::Verdict::{Refused, Sound};
use crate::judge::{Variant, judge};
use crate::parts::{A, B, C, a, b, but_last, c, one, sum, whole};

#[rustfmt::skip]
fn variants() -> Vec<Variant> {
    let xxh = sum(Algorithm::Xxhash, &c());
    let lower = xxh.to_lowercase();
    let upper = sum(Algorithm::Sha1, &c()).to_uppercase();
    let far = "Ref:000/99999999";
    vec![
        ("as xapi writes it", whole(one()).end(), Sound),
        ("SHA-1", one().block_by(A, &a(), Algorithm::Sha1).block_by(C, &c(), Algorithm::Sha1).end(), Sound),
        ("both checksums", one().block_by(A, &a(), Algorithm::Sha1).block(C, &c()).end(), Sound),
        ("every block, zeros too", one().block(A, &a()).block(B, &[0; BLOCK]).block(C, &c()).end(), Sound),
        ("a keepalive", one().block(A, &a()).block(B, b"").block(C, &b()).block("Ref:000/00000003", &c()).end(), Sound),
        ("short last block", Archive::with_ova(&[("Ref:000", 2 * BLOCK + 512)]).block(A, &a()).block(C, &c()[..512]).end(), Sound),
        ("first block is not number 0", one().block(B, &b()).block(C, &c()).end(), Sound),
        ("numbers without leading zeros", one().block("Ref:000/0", &a()).block("Ref:000/2", &c()).end(), Sound),
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
        ("length is no multiple of 512", Archive::with_ova(&[("Ref:000", 2 * BLOCK + 500)]).block(A, &a()).block(C, &c()[..500]).end(), Refused(3, "found 500 bytes, expected a multiple of 512")),
        ("last block too long, zeros", Archive::with_ova(&[("Ref:000", BLOCK + 512)]).block(A, &a()).block(B, &[0; BLOCK]).end(), Refused(3, ": goes beyond the end of the disk: found 3584 bytes too many")),
        ("last block too long, data", Archive::with_ova(&[("Ref:000", BLOCK + 512)]).block(A, &a()).block(B, &b()).end(), Refused(3, "goes beyond the end of the disk: found 3584 bytes too many")),
        ("last block too far", one().block(A, &a()).block("Ref:000/00000003", &c()).end(), Refused(3, "lies past the end of the disk: found byte 12288, expected less than 12288")),
        ("empty block in place of the last", one().block(A, &a()).block("Ref:000/00000003", b"").end(), Refused(3, "lies past the end of the disk: found byte 12288, expected less than 12288")),
        ("empty first block, then a gap", one().block(A, b"").block(C, &a()).end(), Refused(3, "the first block of the archive, whose length they would have, is empty")),
        ("a block of 16 MiB that is cut off", Archive::default().raw(&v7(A, 16 << 20).unwrap()).0, Refused(3, "ends early, in Ref:000/00000000")),
        ("a block of more than 16 MiB", Archive::default().raw(&v7(A, (16 << 20) + 512).unwrap()).0, Refused(4, "the block is too large: found 16777728 bytes")),
    ]
}

#[test]
fn blocks_and_their_checksums_are_taken_or_refused_as_the_importer_would() {
    judge(variants());
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
