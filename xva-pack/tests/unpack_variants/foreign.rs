//! Archives without metadata, and what is no archive.

use crate::archive_builder::{Archive, unpack};
use crate::judge::Verdict::{Refused, Warned};
use crate::judge::{Variant, judge};
use crate::parts::{A, a, b, whole};

#[rustfmt::skip]
fn variants() -> Vec<Variant> {
    vec![
        ("no ova.xml", whole(Archive::default()).end(), Warned("has no ova.xml: xapi does not import it alone")),
        ("a member that is no block, without ova.xml", Archive::default().block(A, &a()).member("Ref:000/x", b"").end(), Refused(3, "is neither a block nor a checksum")),
        ("a member that is no block in a disk that ended, without ova.xml", Archive::default().block(A, &a()).block("Ref:001/00000000", &b()).member("Ref:000/x", b"").end(), Refused(3, "is neither a block nor a checksum")),
        ("gzip that is none", [&b"\x1f\x8b\x08\0"[..], &[1; 600]].concat(), Refused(3, "the gzip stream is damaged")),
        ("zstd that is none", [&b"\x28\xb5\x2f\xfd\x04"[..], &[6; 600]].concat(), Refused(3, "the zstd frame at byte 0 is damaged")),
        ("a skippable frame, cut off", [&b"\x50\x2a\x4d\x18"[..], &[1; 600]].concat(), Refused(3, "ends early, inside the zstd frame at byte 0")),
        ("empty", Vec::new(), Refused(3, "is empty: expected an archive")),
        ("only an end-of-tar", vec![0; 1024], Refused(3, "is empty: expected an archive")),
        ("another tar", Archive::default().member("hello.txt", b"x").end(), Refused(3, "hello.txt at byte 0: is not a part of an XVA")),
        ("text", vec![b'x'; 2000], Refused(3, "at byte 0: is not a tar header")),
        ("no ova.xml, no end-of-tar", whole(Archive::default()).0, Refused(3, "ends early: found no end-of-tar")),
        ("no ova.xml, order of prefixes", Archive::default().block("Ref:2/00000000", &b()).block("Ref:10/00000000", &a()).end(), Refused(3, "the disk comes after Ref:2")),
    ]
}

#[test]
fn without_metadata_an_archive_is_read_as_far_as_it_is_one() {
    judge(variants());
}

#[test]
fn without_ova_xml_the_limits_of_the_answer_are_said() {
    let answer = unpack(&whole(Archive::default()).end(), &[]);
    assert_eq!(answer.status, 0);
    let said = answer.stderr;
    assert!(said.contains("has no ova.xml: xapi does not import it alone"), "{said}");
}
