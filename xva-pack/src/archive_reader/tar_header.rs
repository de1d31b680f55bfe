//! The 512-byte header of a tar member, in the dialects that reach an importer: V7, ustar, old GNU, pax.
//!
//! Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".

use nom::IResult;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u8;

use crate::tar_member::RECORD;

/// A header whose checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TarHeader {
    /// Name, with the prefix of a ustar header in front.
    pub(super) name: Vec<u8>,
    /// Bytes of data behind the header, before padding.
    pub(super) size: u64,
    /// The type flag: NUL or `0` is a file.
    pub(super) kind: u8,
    /// A number is written in base 256, which the importer can not read.
    pub(super) binary_number: bool,
}

/// The fields that matter, as they stand.
struct Fields<'a> {
    name: &'a [u8],
    /// mode, uid, gid, size, mtime.
    numbers: [&'a [u8]; 5],
    checksum: &'a [u8],
    kind: u8,
    magic: &'a [u8],
    prefix: &'a [u8],
}

fn fields(i: &[u8]) -> IResult<&[u8], Fields<'_>> {
    let (i, name) = take(100_usize)(i)?;
    let (i, numbers) =
        (take(8_usize), take(8_usize), take(8_usize), take(12_usize), take(12_usize)).parse(i)?;
    let (i, checksum) = take(8_usize)(i)?;
    let (i, kind) = be_u8(i)?;
    let (i, _link_name) = take(100_usize)(i)?;
    let (i, magic) = take(8_usize)(i)?;
    let (i, _owner_and_device) = take(80_usize)(i)?;
    let (i, prefix) = take(155_usize)(i)?;
    Ok((i, Fields { name, numbers: numbers.into(), checksum, kind, magic, prefix }))
}

/// Understands a header, or says what is wrong with it.
pub(super) fn parse(record: &[u8; RECORD]) -> Result<TarHeader, String> {
    let (_, fields) = fields(record).map_err(|_| "is too short for a tar header".to_owned())?;
    let expected = sum(record);
    match octal(fields.checksum) {
        Some(found) if found == expected => {}
        Some(found) => {
            return Err(format!(
                "the checksum of the tar header is wrong: found {found:o}, expected {expected:o}"
            ));
        }
        None => return Err(format!("is not a tar header: found no checksum, expected {expected:o}")),
    }
    let [.., size, _mtime] = fields.numbers;
    let Some(size) = number(size) else {
        return Err(format!("the size in the tar header is not a number: found \"{}\"", size.escape_ascii()));
    };
    let mut name = until_nul(fields.name).to_vec();
    if fields.magic == b"ustar\x0000" && !until_nul(fields.prefix).is_empty() {
        name = [until_nul(fields.prefix), b"/", &name].concat();
    }
    let binary_number = fields.numbers.iter().any(|field| is_binary(field));
    Ok(TarHeader { name, size, kind: fields.kind, binary_number })
}

/// The sum of all bytes, those of the checksum itself (148 to 155) taken as spaces.
fn sum(record: &[u8; RECORD]) -> u64 {
    let byte = |(at, &byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u64::from(byte) };
    record.iter().enumerate().map(byte).sum()
}

/// A number in octal, or in base 256 when the first bit is set (negative ones have no meaning here).
fn number(field: &[u8]) -> Option<u64> {
    if !is_binary(field) {
        return octal(field);
    }
    let (first, rest) = field.split_first()?;
    rest.iter()
        .try_fold(u64::from(first & 0x7f), |value, &byte| Some(value.checked_mul(256)? | u64::from(byte)))
}

fn is_binary(field: &[u8]) -> bool {
    field.first().is_some_and(|&byte| byte & 0x80 != 0)
}

/// Octal digits after spaces, up to a space, a NUL or the end of the field; a blank field is zero.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_start().split(|byte| matches!(byte, b' ' | 0)).next()?;
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

pub(super) fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar_member;

    /// Writes `bytes` at `at`, and a checksum that is right again.
    fn with(at: usize, bytes: &[u8]) -> [u8; RECORD] {
        let mut record = tar_member::header("Ref:0/00000000", 1 << 20, 0).unwrap();
        record[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = format!("{:06o}\0 ", sum(&record));
        record[148..156].copy_from_slice(sum.as_bytes());
        record
    }

    #[test]
    fn numbers_end_with_a_space_a_nul_or_the_field() {
        for (field, size) in [
            (&b"00000000010\0"[..], Some(8)),
            (b"0000000010 \0", Some(8)),
            (b"         10 ", Some(8)),
            (b"000000000010", Some(8)),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0", Some(0)),
            (b"            ", Some(0)),
            (b"777777777777", Some((1 << 36) - 1)),
            (b"0000000008 \0", None),
            (b"-0000000001\0", None),
            (b"\x80\0\0\0\0\0\0\0\x01\0\0\0", Some(1 << 24)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        ] {
            let header = parse(&with(124, field));
            assert_eq!(header.as_ref().ok().map(|header| header.size), size, "{field:?}");
            assert!(header.is_err() || header.unwrap().binary_number == (field[0] >= 0x80), "{field:?}");
        }
    }

    #[test]
    fn a_ustar_prefix_stands_in_front_of_the_name_and_other_dialects_have_none() {
        for (magic, name) in [(&b"ustar\x0000"[..], "p/Ref:0/00000000"), (b"ustar  \0", "Ref:0/00000000")] {
            let mut record = with(257, magic);
            record[345] = b'p';
            let sum = format!("{:06o}\0 ", sum(&record));
            record[148..156].copy_from_slice(sum.as_bytes());
            assert_eq!(parse(&record).unwrap().name, name.as_bytes());
        }
    }

    #[test]
    fn a_header_with_a_wrong_checksum_is_refused() {
        let mut record = with(0, b"R");
        record[3] ^= 1;
        assert!(parse(&record).unwrap_err().contains("checksum of the tar header is wrong: found "));
        assert!(parse(&[7; RECORD]).unwrap_err().starts_with("is not a tar header"));
    }
}
