//! The 512-byte header of a tar member, in the dialects that reach an importer: V7, ustar, old GNU, pax.
//!
//! Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".

use nom::IResult;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u8;

use crate::xva::tar_member::{MAX_NAME, RECORD, checksum};

/// Magic and version of a ustar header.
const USTAR: &[u8] = b"ustar\x0000";

/// A header whose checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TarHeader {
    /// Name, with the prefix of a ustar header in front.
    pub(crate) name: Vec<u8>,
    /// Bytes of data after the header, before padding.
    pub(crate) size: u64,
    /// The type flag: NUL or `0` is a file.
    pub(crate) type_flag: u8,
    /// Which number the importer cannot read; it reads those that do not matter, too.
    pub(crate) objection: Option<String>,
}

/// The fields that matter, as they stand.
struct Fields<'a> {
    name: &'a [u8],
    /// mode, uid, gid, size, mtime.
    numbers: [&'a [u8]; 5],
    checksum: &'a [u8],
    type_flag: u8,
    magic: &'a [u8],
    /// Major and minor number of a device.
    device: [&'a [u8]; 2],
    prefix: &'a [u8],
}

fn fields(i: &[u8]) -> IResult<&[u8], Fields<'_>> {
    let (i, name) = take(MAX_NAME)(i)?;
    let (i, numbers) =
        (take(8_usize), take(8_usize), take(8_usize), take(12_usize), take(12_usize)).parse(i)?;
    let (i, checksum) = take(8_usize)(i)?;
    let (i, type_flag) = be_u8(i)?;
    let (i, _link_name) = take(100_usize)(i)?;
    let (i, magic) = take(8_usize)(i)?;
    let (i, _owner) = take(64_usize)(i)?;
    let (i, device) = (take(8_usize), take(8_usize)).parse(i)?;
    let (i, prefix) = take(155_usize)(i)?;
    Ok((
        i,
        Fields { name, numbers: numbers.into(), checksum, type_flag, magic, device: device.into(), prefix },
    ))
}

/// Understands a header, or says what is wrong with it.
pub(crate) fn parse(record: &[u8; RECORD]) -> Result<TarHeader, String> {
    let (_, fields) = fields(record).map_err(|_| "is too short for a tar header".to_owned())?;
    let expected = checksum(record);
    match octal(fields.checksum) {
        Some(found) if found == expected => {}
        Some(found) => {
            return Err(format!(
                "the checksum of the tar header is wrong: found {found:o}, expected {expected:o}"
            ));
        }
        None => return Err(format!("is not a tar header: found no checksum, expected {expected:o}")),
    }
    let objection = objection(&fields);
    let [.., size, _mtime] = fields.numbers;
    let Some(size) = number(size) else {
        return Err(format!("the size in the tar header is not a number: found \"{}\"", size.escape_ascii()));
    };
    let mut name = until_nul(fields.name).to_vec();
    if fields.magic == USTAR && !until_nul(fields.prefix).is_empty() {
        name = [until_nul(fields.prefix), b"/", &name].concat();
    }
    Ok(TarHeader { name, size, type_flag: fields.type_flag, objection })
}

/// The first number that is not octal. Only a ustar header has those of a device.
fn objection(fields: &Fields<'_>) -> Option<String> {
    let device = if fields.magic == USTAR { &fields.device[..] } else { &[] };
    let names = ["mode", "uid", "gid", "size", "mtime", "devmajor", "devminor"];
    let numbers = names.into_iter().zip(fields.numbers.iter().chain(device));
    for (name, field) in numbers {
        if is_binary(field) {
            return Some(format!("the {name} in its header is in base 256, expected octal"));
        }
        if octal(field).is_none() {
            let found = field.escape_ascii();
            return Some(format!("the {name} in its header is not a number: found \"{found}\""));
        }
    }
    None
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

/// Octal digits up to a NUL or the end of the field, with blanks around them; a blank field is zero.
fn octal(field: &[u8]) -> Option<u64> {
    until_nul(field).trim_ascii().iter().try_fold(0_u64, |value, &digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

pub(crate) fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xva::tar_member::{CHECKSUM, header};

    /// A header with `bytes` at `at`, and a checksum that is right again.
    fn with(at: usize, bytes: &[u8]) -> [u8; RECORD] {
        changed(header("Ref:0/00000000", 1 << 20).unwrap(), at, bytes)
    }

    fn changed(mut record: [u8; RECORD], at: usize, bytes: &[u8]) -> [u8; RECORD] {
        record[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = format!("{:06o}\0 ", checksum(&record));
        record[CHECKSUM].copy_from_slice(sum.as_bytes());
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
            (b"00000 00010\0", None),
            (b"-0000000001\0", None),
            (b"\x80\0\0\0\0\0\0\0\x01\0\0\0", Some(1 << 24)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        ] {
            let header = parse(&with(124, field));
            assert_eq!(header.as_ref().ok().map(|header| header.size), size, "{field:?}");
            assert!(
                header.is_err() || header.unwrap().objection.is_some() == (field[0] >= 0x80),
                "{field:?}"
            );
        }
    }

    #[test]
    fn every_number_must_be_octal_and_those_of_a_device_only_in_ustar() {
        for (at, name) in [(100, "mode"), (108, "uid"), (116, "gid"), (136, "mtime")] {
            let objection = parse(&with(at, b"000x000\0")).unwrap().objection;
            assert!(objection.unwrap().contains(&format!("the {name} in its header is not a number")));
        }
        for (at, name) in [(329, "devmajor"), (337, "devminor")] {
            let record = with(at, b"000x000\0");
            assert_eq!(parse(&record).unwrap().objection, None);
            let record = changed(record, 257, USTAR);
            assert!(parse(&record).unwrap().objection.unwrap().contains(name));
        }
    }

    #[test]
    fn a_ustar_prefix_stands_in_front_of_the_name_and_other_dialects_have_none() {
        for (magic, name) in [(&b"ustar\x0000"[..], "p/Ref:0/00000000"), (b"ustar  \0", "Ref:0/00000000")] {
            let record = changed(with(257, magic), 345, b"p");
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
