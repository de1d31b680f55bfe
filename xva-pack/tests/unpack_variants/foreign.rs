//! Archives without metadata, and what is no archive.

use std::io::Write;

use crate::archive_builder::{Archive, unpack};
use crate::judge::Verdict::{Refused, Warned};
use crate::judge::{Variant, judge};
use crate::parts::{A, a, b, whole};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

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
        ("a tar of nothing", vec![0; 10240], Refused(3, "is empty: expected an archive")),
        ("zeros", vec![0; 1 << 20], Refused(3, "is not an XVA: found 1048576 zero bytes, expected an XVA, which begins with ova.xml")),
        ("zeros at the beginning", [&vec![0; 1 << 20][..], b"x"].concat(), Refused(3, "is not an XVA: found zeros at its beginning, expected")),
        ("zeros, then junk", [&vec![0; 1 << 10][..], &[b'x'; 1 << 10]].concat(), Refused(3, "is not an XVA: found zeros at its beginning, expected")),
        ("a record of zeros, then junk", [&[0; 512][..], &[b'x'; 1 << 10]].concat(), Refused(3, "is not an XVA: found zeros at its beginning, expected")),
        ("text", vec![b'x'; 2000], Refused(3, "is not an XVA: found \"xxxxxxxx\" at its beginning, expected an XVA")),
        ("little text", vec![b'x'; 20], Refused(3, "is not an XVA: found \"xxxxxxxx\" at its beginning, expected an XVA")),
        ("less of an archive than a header", b"ova.xml\0 and no more".to_vec(), Refused(3, "ends early, in a tar header")),
        ("a program, with zeros for a checksum", [&b"\x7fELF\x02\x01\x01"[..], &[0; 5000]].concat(), Refused(3, "is not an XVA: found \"\\x7fELF\\x02\\x01\\x01\\x00\" at its beginning, expected an XVA")),
        ("an xz file in a gzip file", gzip(&[&b"\xfd7zXZ\0"[..], &[1; 600]].concat()), Refused(4, "gzip -dc ")),
        ("a small xz file", [&b"\xfd7zXZ\0"[..], &[1; 60]].concat(), Refused(4, "is an xz file")),
        ("QCOW2", [&b"QFI\xfb\0\0\0\x03"[..], &[0; 5000]].concat(), Refused(3, "is not an XVA: found a QCOW2, which qcow-headers reads; expected")),
        ("VDI", [&[1; 64][..], b"\x7f\x10\xda\xbe", &[0; 5000]].concat(), Refused(3, "is not an XVA: found a VDI, which qemu-img reads; expected")),
        ("a disk image of a CD", [&vec![0; 32769][..], b"CD001", &[1; 5000]].concat(), Refused(3, "is not an XVA: found an ISO 9660 image; expected")),
        ("xz", [&b"\xfd7zXZ\0"[..], &[1; 600]].concat(), Refused(4, "is an xz file: expected a tar, zstd or gzip; try: xz -dc ")),
        ("a QCOW2 in zstd", zstd::encode_all(&[&b"QFI\xfb\0\0\0\x03"[..], &[0; 5000]].concat()[..], 1).unwrap(), Refused(3, "is not an XVA: found a QCOW2, which qcow-headers reads, inside the zstd file; expected")),
        ("web page", [&b"<!DOCTYPE html>"[..], &[b'x'; 600]].concat(), Refused(3, "is not an XVA: found a web page (HTML); expected")),
        ("XML", [&b"<?xml version='1.0'?>"[..], &[b' '; 600]].concat(), Refused(3, "is not an XVA: found an XML text; expected")),
        ("OVA", Archive::default().member("vm.ovf", b"<Envelope/>").member("vm-disk1.vmdk", b"KDMV").end(), Refused(4, "is not an XVA: found an OVA, which tar reads (the member vm.ovf), expected")),
        ("XVA of Geneva with its metadata", Archive::default().member("ova.xml", b"<?xml version=\"1.0\"?><appliance version=\"0.1\"/>").end(), Refused(4, "found an XVA of XenServer 3 or older (<appliance> in ova.xml)")),
        ("XVA of Geneva", Archive::default().member("sda/chunk-000000000.gz", b"x").end(), Refused(4, "found an XVA of XenServer 3 or older (the member sda/chunk-000000000.gz)")),
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
