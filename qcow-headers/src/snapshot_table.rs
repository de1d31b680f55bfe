//! The table of internal snapshots: only how far it and the L1 tables in it reach, because nothing of the active image may lie
//! there.

use std::ops::Range;

use extents::failure::Failure;
use extents::image::file::ImageFile;
use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_u16, be_u32, be_u64};

use crate::header::Header;

/// The fixed part of an entry.
const ENTRY: usize = 40;
/// QEMU opens no image with more snapshots.
const MAX_SNAPSHOTS: u32 = 65536;

/// File bytes of the snapshot table; empty without snapshots.
///
/// No guest read needs the table, so a table that is cut off is not damage: the range then ends where its last whole entry
/// does.
pub(crate) fn range(file: &ImageFile, header: &Header) -> Result<Range<u64>, Failure> {
    let start = header.snapshots_offset;
    let end = entries(file, header).last().transpose()?.map_or(start, |entry| entry.end);
    Ok(start..end)
}

/// File bytes of the L1 table of each snapshot; they may lie outside the file, since no guest read needs them.
pub(crate) fn l1_tables(
    file: &ImageFile,
    header: &Header,
) -> impl Iterator<Item = Result<Range<u64>, Failure>> {
    entries(file, header).map(|entry| entry.map(|entry| entry.l1_table))
}

/// What an entry says.
struct Entry {
    /// File bytes of its L1 table.
    l1_table: Range<u64>,
    /// File offset of the next entry.
    end: u64,
}

/// The entries up to one that is cut off.
fn entries(file: &ImageFile, header: &Header) -> impl Iterator<Item = Result<Entry, Failure>> {
    let mut next = header.snapshots_offset;
    (0..header.nb_snapshots.min(MAX_SNAPSHOTS)).map_while(move |_| {
        if file.size().saturating_sub(next) < ENTRY as u64 {
            return None;
        }
        let entry = read_entry(file, next);
        next = entry.as_ref().map_or(u64::MAX, |entry| entry.end);
        Some(entry)
    })
}

fn read_entry(file: &ImageFile, offset: u64) -> Result<Entry, Failure> {
    let mut fixed = [0; ENTRY];
    file.read_exact_at(&mut fixed, offset, "snapshot table")?;
    let cut_off = |_| file.damaged("an entry of the snapshot table is cut off");
    let (_, (l1_table, variable)) = fixed_part(&fixed).map_err(cut_off)?;
    Ok(Entry { l1_table, end: (offset + ENTRY as u64 + variable).next_multiple_of(8) })
}

/// The L1 table, and the bytes of what follows the fixed part: at most 2^32 + 2^17.
fn fixed_part(i: &[u8]) -> IResult<&[u8], (Range<u64>, u64)> {
    let (i, l1_offset) = be_u64(i)?;
    let (i, l1_size) = be_u32(i)?;
    let (i, id_str_size) = be_u16(i)?;
    let (i, name_size) = be_u16(i)?;
    let (i, _times_and_vm_state_size) = take(20_usize)(i)?;
    let (i, extra_data_size) = be_u32(i)?;
    let l1_table = l1_offset..l1_offset.saturating_add(u64::from(l1_size) * 8);
    Ok((i, (l1_table, u64::from(extra_data_size) + u64::from(id_str_size) + u64::from(name_size))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::HEADER_BYTES;
    use image_builders::qcow2::{Built, Image};

    fn range_of(built: &Built) -> Range<u64> {
        let directory = tempfile::tempdir().unwrap();
        let file = ImageFile::open(&built.write_to(directory.path()).unwrap()).unwrap();
        range(&file, &Header::parse(&built.bytes[..HEADER_BYTES]).unwrap()).unwrap()
    }

    #[test]
    fn it_ends_after_the_names_of_its_last_entry() {
        let mut image = Image::new("a", 1 << 20).cluster_bits(9);
        assert!(range_of(&image.build()).is_empty());
        image.snapshots = 2;
        let mut built = image.build();
        let table = built.places.snapshot_table;
        assert_eq!(range_of(&built), table..table + 80);
        built.put(table + 12, &[0, 9, 0, 17]);
        built.put_u32(table + 36, 24);
        assert_eq!(range_of(&built), table..table + 136);
        // The file may end with the fixed part of the last entry.
        built.put(table + 96 + 12, &[0, 9, 0, 17]);
        built.bytes.truncate(usize::try_from(table + 136).unwrap());
        assert_eq!(range_of(&built), table..table + 168);
    }

    #[test]
    fn what_lies_past_the_end_of_the_file_is_not_followed() {
        let mut image = Image::new("a", 1 << 20).cluster_bits(9);
        image.snapshots = 3;
        let mut built = image.build();
        let table = built.places.snapshot_table;
        built.put_u32(table + 36, u32::MAX);
        assert_eq!(range_of(&built), table..table + 40 + (1 << 32));
        built.put_u64(64, u64::MAX);
        assert!(range_of(&built).is_empty());
    }
}
