//! The tar headers of an XVA, byte for byte as xapi writes them: V7, no magic, everything after the type NUL.
//!
//! The importer of every xapi release reads these; it was never tested with anything a general tar library writes.

use std::ops::Range;

use extents::extent::length::in_memory;
use extents::failure::Failure;

/// Bytes of a header, and what the data of a member is padded to.
pub const RECORD: usize = 512;

/// The two zero records that end an archive.
pub const TRAILER: [u8; 2 * RECORD] = [0; 2 * RECORD];

/// Longest name that a V7 header holds.
pub(crate) const MAX_NAME: usize = 100;

/// Where in a header its checksum stands.
pub(crate) const CHECKSUM: Range<usize> = 148..156;

/// The header of a plain file of `size` bytes. Its mtime is 0 (1970), so that the same input gives the same archive.
///
/// Refused (status 2): names longer than 100 bytes, sizes of 8 GiB or more.
pub fn header(name: &str, size: u64) -> Result<[u8; RECORD], Failure> {
    if name.len() > MAX_NAME {
        return Err(Failure::usage(format!(
            "member name {name} is too long: found {} bytes, expected at most {MAX_NAME}",
            name.len()
        )));
    }
    if size >= 1 << 33 {
        return Err(Failure::usage(format!(
            "member {name} does not fit a tar header: found {size} bytes, expected less than 8 GiB"
        )));
    }
    let mut header = [0; RECORD];
    header[..name.len()].copy_from_slice(name.as_bytes());
    octal(&mut header[100..108], 0o400); // mode
    octal(&mut header[108..116], 0); // uid
    octal(&mut header[116..124], 0); // gid
    octal(&mut header[124..136], size);
    octal(&mut header[136..148], 0); // mtime
    let sum = checksum(&header);
    octal(&mut header[CHECKSUM], sum);
    Ok(header)
}

/// The sum of all bytes of a header, those of the checksum itself taken as spaces.
pub(crate) fn checksum(header: &[u8; RECORD]) -> u64 {
    // Two sums without a question for each byte: half the time that reading a header takes is spent here.
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let blanks = CHECKSUM.len() * usize::from(b' ');
    u64::from(sum(header) - sum(&header[CHECKSUM])) + blanks as u64
}

/// Octal digits with leading zeros and a final NUL that fill the field.
fn octal(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev().skip(1) {
        *digit = b"01234567"[in_memory(value % 8)];
        value /= 8;
    }
}

/// Zero bytes between data of `size` bytes and the next header.
pub fn padding(size: u64) -> usize {
    in_memory(size.wrapping_neg() % RECORD as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checksums of headers dumped from xapi's own tar library.
    #[test]
    fn headers_have_the_checksums_that_xapi_writes() {
        for (name, size, sum) in
            [("Ref:4/00000000", 1_048_576, b"0006122\0"), ("Ref:4/00000000.xxhash", 16, b"0007422\0")]
        {
            let header = header(name, size).unwrap();
            assert_eq!(&header[148..156], sum, "{name}");
            assert_eq!(&header[100..124], b"0000400\x000000000\x000000000\0", "{name}");
            assert!(header[156..].iter().all(|&byte| byte == 0), "{name}");
        }
    }

    #[test]
    fn a_size_is_eleven_octal_digits_and_nul() {
        assert_eq!(&header("a", 1 << 20).unwrap()[124..136], b"00004000000\0");
        assert!(header("a", 1 << 33).is_err());
        assert!(header(&"a".repeat(101), 0).is_err());
        assert!(header(&"a".repeat(100), (1 << 33) - 1).is_ok());
    }

    #[test]
    fn data_is_padded_to_whole_records() {
        let sizes = [0, 1, 16, 511, 512, 513, 1 << 20, u64::MAX];
        assert_eq!(sizes.map(padding), [0, 511, 496, 1, 0, 511, 0, 1]);
    }
}
