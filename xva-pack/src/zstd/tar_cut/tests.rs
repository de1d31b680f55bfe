use std::io;

use crate::xva::checksum::Algorithm;
use crate::xva::tar_member::header;
use crate::zstd::tar_cut::*;

/// A member.
fn member(name: &str, data: &[u8]) -> Vec<u8> {
    let size = data.len() as u64;
    [&header(name, size).unwrap()[..], data, &[0; RECORD][..padding(size)]].concat()
}

/// A block with its checksum.
fn block(name: &str, data: &[u8]) -> Vec<u8> {
    let kind = Algorithm::Xxhash;
    [member(name, data), member(&format!("{name}{}", kind.suffix()), kind.text(data).as_bytes())].concat()
}

/// A member that only says something about the next.
fn extended(flag: u8, data: &[u8]) -> Vec<u8> {
    let mut member = member("x", data);
    member[156] = flag;
    let sum: u32 = member[..RECORD].iter().map(|&byte| u32::from(byte)).sum();
    let sum = sum - member[148..156].iter().map(|&byte| u32::from(byte)).sum::<u32>() + 8 * u32::from(b' ');
    member[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    member
}

/// Reads one byte, then two, then four and so on at a time.
struct Bits<'a>(&'a [u8], usize);

impl Read for Bits<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 * 2 % 65_537;
        let count = self.1.min(into.len()).min(self.0.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn pieces(archive: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut cut = TarCut::new(Bits(archive, 1), InputName::Stdin);
    let mut pieces = Vec::new();
    loop {
        let mut piece = Vec::new();
        assert!(!pieces.is_empty() || !cut.is_done());
        if !cut.next_piece(&mut piece)? {
            assert!(cut.is_done() && cut.position() == archive.len() as u64);
            return Ok(pieces);
        }
        pieces.push(piece);
    }
}

/// Each part must be one piece.
fn assert_cut(parts: &[Vec<u8>]) {
    let lengths = |parts: &[Vec<u8>]| parts.iter().map(Vec::len).collect::<Vec<_>>();
    let found = pieces(&parts.concat()).unwrap();
    assert_eq!(lengths(&found), lengths(parts));
    assert!(found == parts);
}

#[test]
fn each_block_is_a_piece_and_so_is_what_comes_before_and_after_them() {
    let metadata = member("ova.xml", &[b'x'; 5000]);
    let end = vec![0; 2 * RECORD];
    for long in [1 << 20, 4 << 20, 512, 700] {
        let long = vec![7; long];
        assert_cut(&[
            metadata.clone(),
            block("Ref:0/00000000", &long),
            // A keepalive.
            block("Ref:0/00000001", b""),
            block("Ref:0/00000007", &long),
            block("Ref:1/00000000", &[1; 512]),
            end.clone(),
        ]);
    }
    assert_cut(&[block("Ref:0/00000000", b"no metadata"), end.clone()]);
    // A machine without disks.
    assert_cut(&[metadata, end]);
}

#[test]
fn headers_go_with_what_they_speak_of() {
    let named = [extended(b'x', b"23 path=Ref:0/00000000\n"), member("short", &[5; 900])].concat();
    let long =
        [extended(b'L', b"Ref:0/00000001\0"), extended(b'K', b"x"), member("short", &[6; 900])].concat();
    // A single zero record is skipped by the importer.
    let single = [vec![0; RECORD], block("./Ref:0/00000002", &[8; 600])].concat();
    assert_cut(&[
        [extended(b'g', b""), member("ova.xml", b"x")].concat(),
        named,
        long,
        single,
        vec![0; 2 * RECORD],
    ]);
}

#[test]
fn what_is_no_block_is_kept_apart_from_them_in_pieces_of_bounded_size() {
    let other = [member("dir/", b""), member("Ref:0/x", &[1; 3000]), member("b", &[2; 3])].concat();
    // A block without a checksum, and one with that of another.
    let bare = member("Ref:0/00000003", &[3; 512]);
    let large = member("large", &vec![4; 3 << 20]);
    let table = member("checksum.xml", b"x");
    let (first, rest) = large.split_at(MAX_OTHER);
    let (second, rest) = rest.split_at(MAX_OTHER);
    let (third, rest) = rest.split_at(MAX_OTHER);
    assert_cut(&[
        block("Ref:0/00000000", b"1"),
        other,
        bare.clone(),
        bare,
        member("Ref:0/00000002.xxhash", b"0123456789ABCDEF"),
        block("Ref:0/00000004", b"2"),
        first.to_vec(),
        second.to_vec(),
        third.to_vec(),
        [rest, &table].concat(),
        vec![0; MAX_OTHER],
        [&[0; 700][..], b"what nobody reads"].concat(),
    ]);
}

#[test]
fn an_input_that_ends_anywhere_else_or_is_something_else_is_refused() {
    let whole = [member("ova.xml", &[b'x'; 600]), block("Ref:0/00000000", &[7; 700]), vec![0; 1024]].concat();
    assert!(pieces(&whole).is_ok());
    for end in 0..whole.len() {
        assert_eq!(pieces(&whole[..end]).unwrap_err().status() as u8, 3, "{end}");
        let marked = [&whole[..end], b"{\"exit_status\":4"].concat();
        assert_eq!(pieces(&marked).unwrap_err().status() as u8, 4, "{end}");
    }
    assert_eq!(pieces(&[&whole[..], b"{\"exit_status\":1"].concat()).unwrap_err().status() as u8, 1);
    for (other, status, said) in [
        (member("hello.txt", b"x"), 3, "found a tar that begins with hello.txt"),
        (vec![0; 1024], 3, "found zeros at its beginning"),
        (vec![b'x'; 2000], 3, "is not an XVA: found \"xxxxxxxx\" at its beginning"),
        ([&[0x1f, 0x8b, 8][..], &[1; 20]].concat(), 4, "gzip -dc ARCHIVE | xva-zstd"),
        (vec![0x28, 0xb5, 0x2f, 0xfd, 0], 4, "zstd -dc ARCHIVE | xva-zstd"),
        (b"\xfd7zXZ\0\0".to_vec(), 4, "xz -dc ARCHIVE"),
        (member("Ref:0/00000000", &vec![0; (16 << 20) + 1]), 4, "too large"),
        (extended(b'x', b"30 path=x\n"), 3, "pax header is damaged"),
        (extended(b'x', b"").repeat(3000), 3, "nothing but extended headers"),
    ] {
        let failure = pieces(&other).unwrap_err();
        assert_eq!(failure.status() as u8, status, "{failure}");
        assert!(failure.to_string().contains(said), "{failure}");
    }
}
