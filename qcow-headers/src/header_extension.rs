//! The header extensions between the header and the name of the backing file: of all that may stand there, only the
//! format of the backing file and the name of the external data file decide where data is; two others say where it is not.

use std::ops::Range;

use extents::failure::Failure;
use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_u32, be_u64};

const END: u32 = 0;
const BACKING_FORMAT: u32 = 0xE279_2ACA;
const DATA_FILE: u32 = 0x4441_5441;
const BITMAPS: u32 = 0x2385_2875;
const ENCRYPTION_HEADER: u32 = 0x0537_BE77;

/// The extensions that are used here, as bytes up to the first NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderExtensions {
    /// Format of the backing file: `qcow2`, `raw` or another name of a QEMU block driver.
    pub(crate) backing_format: Option<Vec<u8>>,
    /// Name of the external data file.
    pub(crate) data_file: Option<Vec<u8>>,
}

/// File bytes of what some extensions lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    /// The directory of the bitmaps, if these belong to this state of the image, which the header says.
    pub(crate) bitmap_directory: Option<Range<u64>>,
    /// The header of the encryption.
    pub(crate) encryption_header: Option<Range<u64>>,
}

impl HeaderExtensions {
    /// Parses `area`: the bytes of the first cluster after the header, up to the name of the backing file.
    ///
    /// The list ends with type 0 or with the area. A length that runs past the area is refused (status 3).
    pub(crate) fn parse(area: &[u8]) -> Result<(Self, Areas), Failure> {
        let (mut extensions, mut areas) = (HeaderExtensions::default(), Areas::default());
        let mut rest = area;
        while let Ok((data, (kind, length))) = head(rest) {
            let Ok((after, data)) = padded(data, length) else {
                return Err(Failure::damaged(format!(
                    "a header extension runs past the header: found {length} bytes of type {kind:#x}, expected at \
                     most {}",
                    data.len()
                )));
            };
            match kind {
                END => break,
                BACKING_FORMAT => extensions.backing_format = Some(text(data)),
                DATA_FILE => extensions.data_file = Some(text(data)),
                BITMAPS => areas.bitmap_directory = bitmap_directory(data).ok().map(|(_, range)| range),
                ENCRYPTION_HEADER => {
                    areas.encryption_header = offset_and_length(data).ok().map(|(_, range)| range);
                }
                _ => {}
            }
            rest = after;
        }
        Ok((extensions, areas))
    }
}

/// A name as QEMU reads it: the field has a length, but a NUL ends it too.
pub(crate) fn text(field: &[u8]) -> Vec<u8> {
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

fn head(i: &[u8]) -> IResult<&[u8], (u32, u32)> {
    let (i, kind) = be_u32(i)?;
    let (i, length) = be_u32(i)?;
    Ok((i, (kind, length)))
}

/// Their number, which is not used here, and the size and offset of their directory.
fn bitmap_directory(i: &[u8]) -> IResult<&[u8], Range<u64>> {
    let (i, _count_and_reserved) = take(8_usize)(i)?;
    let (i, size) = be_u64(i)?;
    let (i, offset) = be_u64(i)?;
    Ok((i, offset..offset.saturating_add(size)))
}

fn offset_and_length(i: &[u8]) -> IResult<&[u8], Range<u64>> {
    let (i, offset) = be_u64(i)?;
    let (i, length) = be_u64(i)?;
    Ok((i, offset..offset.saturating_add(length)))
}

/// `length` bytes, and the padding to a multiple of 8 as far as the area has it.
fn padded(i: &[u8], length: u32) -> IResult<&[u8], &[u8]> {
    let (i, data) = take(length)(i)?;
    let padding = (length.wrapping_neg() % 8) as usize;
    let (i, _padding) = take(padding.min(i.len()))(i)?;
    Ok((i, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(extensions: &[(u32, &[u8])]) -> Vec<u8> {
        let mut area = Vec::new();
        for (kind, data) in extensions {
            area.extend(kind.to_be_bytes());
            area.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
            area.extend(*data);
            area.resize(area.len().next_multiple_of(8), 0);
        }
        area
    }

    #[test]
    fn format_and_data_file_are_found_among_others() {
        let area = area(&[
            (0x6803_F857, &[1; 5]),
            (DATA_FILE, b"disk.data"),
            (BACKING_FORMAT, b"qcow2\0"),
            (END, b""),
            (BACKING_FORMAT, b"raw"),
        ]);
        let (extensions, areas) = HeaderExtensions::parse(&area).unwrap();
        assert_eq!(areas, Areas::default());
        assert_eq!(extensions.backing_format.as_deref(), Some(b"qcow2".as_slice()));
        assert_eq!(extensions.data_file.as_deref(), Some(b"disk.data".as_slice()));
    }

    #[test]
    fn the_list_may_end_with_the_area() {
        let area = area(&[(BACKING_FORMAT, b"raw")]);
        for cut in [area.len(), area.len() - 5] {
            let (extensions, _) = HeaderExtensions::parse(&area[..cut]).unwrap();
            assert_eq!(extensions.backing_format.as_deref(), Some(b"raw".as_slice()));
        }
        assert_eq!(
            HeaderExtensions::parse(&[0, 0, 0, 7]),
            Ok((HeaderExtensions::default(), Areas::default()))
        );
    }

    #[test]
    fn areas_are_where_the_extensions_say() {
        let numbers =
            |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
        let area = area(&[
            (BITMAPS, &numbers(&[2 << 32, 96, 0x50000])),
            (ENCRYPTION_HEADER, &numbers(&[0x10000, u64::MAX])),
        ]);
        let (_, areas) = HeaderExtensions::parse(&area).unwrap();
        assert_eq!(areas.bitmap_directory, Some(0x50000..0x50000 + 96));
        assert_eq!(areas.encryption_header, Some(0x10000..u64::MAX));
    }

    #[test]
    fn a_length_past_the_area_is_refused() {
        // QEMU opens no image in which that of the last one does, which has no data.
        for (kind, length) in [(BACKING_FORMAT, 4_u32), (BACKING_FORMAT, u32::MAX), (END, 4)] {
            let mut area = area(&[(kind, b"raw")]);
            area.truncate(11);
            area[4..8].copy_from_slice(&length.to_be_bytes());
            let failure = HeaderExtensions::parse(&area).unwrap_err();
            assert!(failure.to_string().contains(&format!("found {length} bytes")), "{failure}");
        }
    }
}
