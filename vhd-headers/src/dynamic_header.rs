//! The dynamic header: where the BAT is, how large a block is, and which image is the parent.
//!
//! Source: Virtual Hard Disk Image Format Specification 1.0, "Dynamic Disk Header Format".

use extents::failure::Failure;
use nom::bytes::complete::take;
use nom::multi::count;
use nom::number::complete::{be_u16, be_u32, be_u64};
use nom::{IResult, Parser};

use crate::checksum;
use crate::footer::{UniqueId, unique_id};
use crate::parent_locator::{Locator, locator, utf16_name};

/// Bytes of a dynamic header.
pub(crate) const SIZE: usize = 1024;

const COOKIE: &[u8] = b"cxsparse";
const CHECKSUM_FIELD: usize = 36;
const LOCATORS: usize = 8;
/// UTF-16 units of the parent's name.
const NAME_UNITS: usize = 256;
/// 512 bytes, a sector.
const MIN_BLOCK_BITS: u32 = 9;
/// 1 GiB. No program is known to write more than 2 MiB.
const MAX_BLOCK_BITS: u32 = 30;

/// What was read of a dynamic header, after its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DynamicHeader {
    /// File offset of the BAT in bytes, a multiple of 512.
    pub(crate) table_offset: u64,
    /// Entries of the BAT; may be more than the disk has blocks, never fewer.
    pub(crate) max_table_entries: u32,
    /// log2 of the bytes of a block, 9 to 30.
    pub(crate) block_bits: u32,
    /// Unique id of the parent. Null on a differencing disk: the parent is a raw image.
    pub(crate) parent_id: UniqueId,
    /// Name of the parent: a base name or a whole Windows path; empty when there is none.
    pub(crate) parent_name: String,
    /// Where else the parent's name is said.
    pub(crate) locators: Vec<Locator>,
}

struct Fields<'a> {
    cookie: &'a [u8],
    version: u32,
    block_size: u32,
    checksum: u32,
    header: DynamicHeader,
}

fn fields(i: &[u8]) -> IResult<&[u8], Fields<'_>> {
    let (i, cookie) = take(8_usize)(i)?;
    // All ones, of 64 or, by some writers, of 32 bits: nothing follows this header.
    let (i, _data_offset) = be_u64(i)?;
    let (i, table_offset) = be_u64(i)?;
    let (i, version) = be_u32(i)?;
    let (i, max_table_entries) = be_u32(i)?;
    let (i, block_size) = be_u32(i)?;
    let (i, checksum) = be_u32(i)?;
    let (i, parent_id) = unique_id(i)?;
    let (i, _parent_timestamp) = be_u32(i)?;
    let (i, _reserved) = be_u32(i)?;
    let (i, name) = count(be_u16, NAME_UNITS).parse(i)?;
    let (i, locators) = count(locator, LOCATORS).parse(i)?;
    let parent_name = utf16_name(name);
    let header = DynamicHeader {
        table_offset,
        max_table_entries,
        block_bits: block_size.trailing_zeros(),
        parent_id,
        parent_name,
        locators,
    };
    Ok((i, Fields { cookie, version, block_size, checksum, header }))
}

impl DynamicHeader {
    /// Parses and checks the header that was found at file offset `at`.
    ///
    /// Status 3 for a wrong cookie or checksum, a block size that is no power of two from 512 bytes to 1 GiB, and a
    /// BAT that does not begin at a sector; status 4 for an unknown major version.
    pub(crate) fn parse(bytes: &[u8; SIZE], at: u64) -> Result<DynamicHeader, Failure> {
        let damaged = |sentence: String| Failure::damaged(format!("dynamic header at byte {at}: {sentence}"));
        let Ok((_, fields)) = fields(bytes) else { return Err(damaged("is cut off".into())) };
        if fields.cookie != COOKIE {
            return Err(damaged(format!(
                "wrong cookie: found {:?}, expected \"cxsparse\"",
                String::from_utf8_lossy(fields.cookie)
            )));
        }
        let found = fields.checksum;
        let expected = checksum::expected(bytes, CHECKSUM_FIELD);
        if found != expected {
            return Err(damaged(format!("wrong checksum: found {found:#010x}, expected {expected:#010x}")));
        }
        if fields.version >> 16 != 1 {
            return Err(Failure::unsupported(format!(
                "dynamic header at byte {at}: unknown version: found {:#010x}, expected 0x00010000",
                fields.version
            )));
        }
        let block_size = fields.block_size;
        if !block_size.is_power_of_two()
            || !(MIN_BLOCK_BITS..=MAX_BLOCK_BITS).contains(&block_size.trailing_zeros())
        {
            return Err(damaged(format!(
                "impossible block size: found {block_size} bytes, expected a power of two from 512 to 1073741824"
            )));
        }
        if fields.header.table_offset % 512 != 0 {
            return Err(damaged(format!(
                "impossible place of the BAT: found byte {}, expected a multiple of 512",
                fields.header.table_offset
            )));
        }
        Ok(fields.header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_builders::vhd::{Locator as Written, Vhd};

    fn child() -> [u8; SIZE] {
        let mut child = Vhd::child_of(&Vhd::dynamic("p\u{e9}.vhd", 5 << 20), "child.vhd");
        child.spare_entries = 4;
        child.locators = vec![Written::mac("file://x")];
        let built = child.build();
        built.bytes[built.header..built.header + SIZE].try_into().unwrap()
    }

    #[test]
    fn every_field_is_read_from_its_place() {
        let header = DynamicHeader::parse(&child(), 512).unwrap();
        assert_eq!((header.table_offset, header.max_table_entries, header.block_bits), (1536, 7, 21));
        assert_eq!((header.parent_name.as_str(), header.locators.len()), ("p\u{e9}.vhd", 8));
        assert!(!header.parent_id.is_null());
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        for bit in 0..SIZE * 8 {
            let mut bytes = child();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(DynamicHeader::parse(&bytes, 512).is_err(), "bit {bit}");
        }
    }
}
