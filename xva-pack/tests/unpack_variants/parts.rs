//! What the variants are made of: a disk of three blocks, the second of which is left out, and its metadata.

use xva_pack::xva::checksum::Algorithm;

use crate::archive_builder::{self, Archive, BLOCK, data, ova};

pub(crate) const A: &str = "Ref:000/00000000";
pub(crate) const B: &str = "Ref:000/00000001";
pub(crate) const C: &str = "Ref:000/00000002";

pub(crate) fn a() -> Vec<u8> {
    data(1, BLOCK)
}

pub(crate) fn b() -> Vec<u8> {
    data(2, BLOCK)
}

pub(crate) fn c() -> Vec<u8> {
    data(3, BLOCK)
}

/// Metadata of one disk of three blocks.
pub(crate) fn one() -> Archive {
    Archive::with_ova(&[("Ref:000", 3 * BLOCK)])
}

/// One disk of three blocks, the last of which is still to come.
pub(crate) fn but_last() -> Archive {
    one().block(A, &a())
}

/// Metadata of one disk, changed.
pub(crate) fn changed(from: &str, to: &str) -> Archive {
    replaced(ova(&[("Ref:000", 3 * BLOCK)]), from, to)
}

pub(crate) fn replaced(metadata: Vec<u8>, from: &str, to: &str) -> Archive {
    let text = String::from_utf8(metadata).unwrap();
    assert!(text.contains(from), "{from}");
    Archive::default().member("ova.xml", text.replace(from, to).as_bytes())
}

pub(crate) fn whole(metadata: Archive) -> Archive {
    metadata.block(A, &a()).block(C, &c())
}

pub(crate) fn ustar(header: &mut [u8; 512]) {
    archive_builder::ustar(header, b'0');
}

pub(crate) fn kind(kind: u8) -> impl FnOnce(&mut [u8; 512]) {
    move |header| archive_builder::ustar(header, kind)
}

pub(crate) fn old_gnu(header: &mut [u8; 512]) {
    header[257..265].copy_from_slice(b"ustar  \0");
    header[156] = b'L';
}

pub(crate) fn sum(algorithm: Algorithm, data: &[u8]) -> String {
    algorithm.text(data)
}
