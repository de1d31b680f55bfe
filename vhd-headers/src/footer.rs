//! The footer: the 512 bytes that make a file a VHD, say how large its disk is and where the dynamic header lies.
//!
//! Source: Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format". All integers are big-endian.

use std::fmt;

use extents::failure::Failure;
use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};

use crate::checksum;

/// Bytes of a footer.
pub(crate) const SIZE: usize = 512;

const COOKIE: &[u8; 8] = b"conectix";
/// In place of the cookie: an image that libvhd's tools took out of use.
const POISON: &[u8; 8] = b"v_poison";
const CHECKSUM_FIELD: usize = 64;
/// tapdisk's flag for an image that only serves as a parent, in a part that the specification reserves.
const HIDDEN_FIELD: usize = 85;
/// The high half of version 1.x, which every known image has. The minor half stays compatible, by the specification.
const MAJOR_VERSION: u32 = 1;

/// Versions of tapdisk, as they stand in the footer.
const TAPDISK_0_1: u32 = 0x0000_0001;
const TAPDISK_1_1: u32 = 0x0001_0001;

/// The unique id of an image, by which a child knows its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UniqueId(pub [u8; 16]);

/// How the image stores its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskType {
    /// The disk as it is, then the footer.
    Fixed,
    /// Blocks, where the BAT says so.
    Dynamic,
    /// As dynamic, and what is not there is in the parent.
    Differencing,
}

/// What was read of a footer, after its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    /// File offset of the dynamic header in bytes; all ones for a fixed disk.
    pub(crate) data_offset: u64,
    /// Which program wrote the image: `tap\0`, `vpc `, `win `, `qemu`...
    pub(crate) creator: [u8; 4],
    /// Version of that program.
    pub(crate) creator_version: u32,
    /// Bytes that the guest sees; not always a multiple of a sector.
    pub(crate) current_size: u64,
    /// Cylinders x heads x sectors, in bytes: what Virtual PC and qemu show of a disk that Virtual PC made.
    pub(crate) chs_size: u64,
    /// How the disk is stored.
    pub(crate) disk_type: DiskType,
    /// Its name for its children.
    pub(crate) unique_id: UniqueId,
}

/// The fields as they stand in the file.
struct Fields<'a> {
    cookie: &'a [u8],
    version: u32,
    disk_type: u32,
    checksum: u32,
    footer: Footer,
}

fn fields(i: &[u8]) -> IResult<&[u8], Fields<'_>> {
    let (i, cookie) = take(8_usize)(i)?;
    let (i, _features) = be_u32(i)?;
    let (i, version) = be_u32(i)?;
    let (i, data_offset) = be_u64(i)?;
    let (i, _timestamp) = be_u32(i)?;
    let (i, creator) = four_bytes(i)?;
    let (i, creator_version) = be_u32(i)?;
    let (i, _creator_os) = be_u32(i)?;
    let (i, _original_size) = be_u64(i)?;
    let (i, current_size) = be_u64(i)?;
    let (i, cylinders) = be_u16(i)?;
    let (i, heads) = be_u8(i)?;
    let (i, sectors) = be_u8(i)?;
    let (i, disk_type) = be_u32(i)?;
    let (i, checksum) = be_u32(i)?;
    let (i, unique_id) = unique_id(i)?;
    let chs_size = u64::from(cylinders) * u64::from(heads) * u64::from(sectors) * 512;
    // The type is put in by the check.
    let footer = Footer {
        data_offset,
        creator,
        creator_version,
        current_size,
        chs_size,
        disk_type: DiskType::Fixed,
        unique_id,
    };
    Ok((i, Fields { cookie, version, disk_type, checksum, footer }))
}

fn four_bytes(i: &[u8]) -> IResult<&[u8], [u8; 4]> {
    let (i, number) = be_u32(i)?;
    Ok((i, number.to_be_bytes()))
}

/// The 16 bytes of a unique id.
pub(crate) fn unique_id(i: &[u8]) -> IResult<&[u8], UniqueId> {
    let (i, high) = be_u64(i)?;
    let (i, low) = be_u64(i)?;
    Ok((i, UniqueId(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())))
}

impl Footer {
    /// Parses and checks what was found at file offset `at`. `None` when there is no footer at all.
    ///
    /// Status 3 for a wrong checksum; status 4 for a poisoned image, an unknown major version, and a disk type other
    /// than fixed, dynamic or differencing.
    pub(crate) fn parse(bytes: &[u8; SIZE], at: u64) -> Result<Option<Footer>, Failure> {
        let cut_off = |_| Failure::damaged(format!("footer at byte {at}: is cut off"));
        let (_, fields) = fields(bytes).map_err(cut_off)?;
        if fields.cookie == POISON {
            return Err(Failure::unsupported(format!(
                "footer at byte {at}: the image was taken out of use: found the cookie v_poison, expected conectix"
            )));
        }
        if fields.cookie != COOKIE {
            return Ok(None);
        }
        let found = fields.checksum;
        let expected = checksum::expected(bytes, CHECKSUM_FIELD);
        if found != expected && !sum_is_right_without_hidden_flag(bytes, &fields) {
            return Err(Failure::damaged(format!(
                "footer at byte {at}: wrong checksum: found {found:#010x}, expected {expected:#010x}"
            )));
        }
        if fields.version >> 16 != MAJOR_VERSION {
            return Err(Failure::unsupported(format!(
                "footer at byte {at}: unknown version: found {:#010x}, expected 0x00010000",
                fields.version
            )));
        }
        let disk_type = match fields.disk_type {
            2 => DiskType::Fixed,
            3 => DiskType::Dynamic,
            4 => DiskType::Differencing,
            other => {
                return Err(Failure::unsupported(format!(
                    "footer at byte {at}: unknown disk type: found {other}, expected 2 (fixed), 3 (dynamic) or \
                     4 (differencing)"
                )));
            }
        };
        Ok(Some(Footer { disk_type, ..fields.footer }))
    }

    /// Whether a footer, sound or not, says that the disk is fixed.
    pub(crate) fn claims_fixed(bytes: &[u8; SIZE]) -> bool {
        fields(bytes).is_ok_and(|(_, fields)| fields.cookie == COOKIE && fields.disk_type == 2)
    }

    /// Whether the image was made by Xen's tapdisk.
    pub(crate) fn is_by_tapdisk(&self) -> bool {
        &self.creator == b"tap\0"
    }

    /// Whether the sector bitmaps are little-endian: tapdisk before version 1.1.
    pub(crate) fn has_little_endian_bitmaps(&self) -> bool {
        self.is_by_tapdisk() && self.creator_version == TAPDISK_0_1
    }
}

/// Very old tapdisks (0.1 and 1.1) set the hidden flag and left the checksum as it was.
fn sum_is_right_without_hidden_flag(bytes: &[u8; SIZE], fields: &Fields) -> bool {
    let mut visible = *bytes;
    visible[HIDDEN_FIELD] = 0;
    fields.footer.is_by_tapdisk()
        && matches!(fields.footer.creator_version, TAPDISK_0_1 | TAPDISK_1_1)
        && checksum::expected(&visible, CHECKSUM_FIELD) == fields.checksum
}

impl UniqueId {
    /// All zero: no id. As the id of a parent it means that the parent is a raw image.
    pub(crate) fn is_null(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_builders::vhd::Vhd;

    fn footer() -> [u8; SIZE] {
        let mut image = Vhd::dynamic("x", 12_345);
        image.creator = Some((*b"vpc ", 0x0005_0003));
        image.geometry = (3, 4, 5);
        image.build().bytes[..SIZE].try_into().unwrap()
    }

    #[test]
    fn every_field_is_read_from_its_place() {
        let expected = Footer {
            data_offset: 512,
            creator: *b"vpc ",
            creator_version: 0x0005_0003,
            current_size: 12_345,
            chs_size: 3 * 4 * 5 * 512,
            disk_type: DiskType::Dynamic,
            unique_id: UniqueId(Vhd::dynamic("x", 0).unique_id),
        };
        assert_eq!(Footer::parse(&footer(), 0), Ok(Some(expected)));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        for bit in 0..SIZE * 8 {
            let mut bytes = footer();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(Footer::parse(&bytes, 0), Ok(Some(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_unique_id_is_written_as_usual() {
        let id = UniqueId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(id.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert!(UniqueId([0; 16]).is_null() && !id.is_null());
    }
}
