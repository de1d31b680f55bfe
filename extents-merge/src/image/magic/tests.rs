//! The table of formats, and files that look like one of them.

use crate::image::magic::*;
use std::collections::BTreeSet;

fn ids(beginning: &[u8], end: &[u8], name: &str) -> Vec<&'static str> {
    formats_of(beginning, end, Some(Path::new(name))).iter().map(|format| format.id).collect()
}

#[test]
fn every_line_of_the_table_is_a_format_whose_magics_can_be_found() {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(formats().count(), lines.count());
    for format in formats() {
        for magic in format.magics.split(' ').flat_map(|magic| magic.split('+')) {
            let (offset, hex) = magic.split_once(':').unwrap();
            if offset == "name" {
                continue;
            }
            assert!(hex.len() % 2 == 0 && hex.bytes().all(|b| b == b'?' || b.is_ascii_hexdigit()), "{magic}");
            let bytes: Vec<u8> = hex
                .replace('?', "0")
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            let (last, is_end) = (offset.rsplit("..").next().unwrap(), offset.starts_with('-'));
            let at: usize = last.trim_start_matches('-').parse().unwrap();
            let mut edge = vec![1; if is_end { END } else { BEGINNING }];
            let at = if is_end { END - at + bytes.len().min(at) - bytes.len() } else { at };
            edge[at..at + bytes.len()].copy_from_slice(&bytes);
            assert!(is_at(magic, &edge, if is_end { END } else { 0 }), "{magic}");
            edge[at] ^= 0xff;
            assert!(!is_at(magic, &edge, if is_end { END } else { 0 }), "{magic}");
            assert!(!is_at(magic, &edge[..at + bytes.len() - 1], if is_end { END } else { 0 }), "{magic}");
        }
    }
}

#[test]
fn of_what_stands_at_the_beginning_the_first_line_counts_and_the_end_besides() {
    let footer = [b"conectix".as_slice(), &[0; 504]].concat();
    assert_eq!(ids(b"QFI\xfb\0\0\0\x01", b"", ""), ["qcow"]);
    assert_eq!(ids(b"QFI\xfb\0\0\0\x03", b"", ""), ["qcow2"]);
    assert_eq!(ids(b"QFI\xfb\0\0\0\x03", &footer, ""), ["qcow2", "vhd"]);
    assert_eq!(ids(b"conectix", &footer, ""), ["vhd"]);
    assert_eq!(ids(b"", &footer[..511], ""), ["vhd"]);
    let mut boot = vec![0; 512];
    boot[510..].copy_from_slice(b"\x55\xaa");
    assert_eq!(ids(&boot, &boot, ""), ["mbr"]);
    assert_eq!(ids(&boot, &footer, ""), ["vhd"]);
}

#[test]
fn a_file_that_is_too_short_or_unknown_is_nothing_whatever_it_is_called() {
    for bytes in [b"".as_slice(), b"Q", b"QFI", &[0; 4096]] {
        assert!(ids(bytes, bytes, "a.qcow2").is_empty());
    }
    assert_eq!(ids(b"data/x.vhd", b"data/x.vhd", "a/b.alias.vhd"), ["alias"]);
    assert_eq!(ids(b"QFI\xfb", b"", "a/b.alias.vhd"), ["qcow2"]);
}

#[test]
fn what_is_unknown_is_shown() {
    assert_eq!(describe_unknown(b"", 0), "an empty file");
    assert_eq!(describe_unknown(&[0; 9], 9), "9 zero bytes");
    assert_eq!(describe_unknown(&[0; 9], 10), "zeros at its beginning");
    assert_eq!(describe_unknown(b"\x01abc", 4), "\"\\x01abc\" alone");
    assert_eq!(describe_unknown(b"\x01abcdefgh", 9), "\"\\x01abcdefg\" at its beginning");
}

#[test]
fn no_two_names_are_the_same() {
    let names: BTreeSet<_> = formats().map(|format| format.name).collect();
    assert_eq!(names.len(), formats().count());
}
