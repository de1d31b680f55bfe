//! The refcount table: only where the refcount blocks lie, because nothing of the guest may lie there.

use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::window::Window;

use crate::geometry::Geometry;
use crate::header::Header;
use crate::run_length::words;

/// QEMU opens no image with a larger table, in bytes.
const MAX_BYTES: u64 = 8 << 20;
const WINDOW: usize = 64 << 10;
/// Bits 9 to 63 of an entry: the file offset of a block, 0 for none.
const OFFSET_MASK: u64 = !0x1FF;

/// Calls `found` with the file offset of each refcount block.
///
/// No guest read needs them, so a table or block that is cut off or misplaced is not damage: it is left out.
pub(crate) fn blocks(
    file: &ImageFile,
    header: &Header,
    geometry: &Geometry,
    mut found: impl FnMut(u64),
) -> Result<(), Failure> {
    let bytes = (u64::from(header.refcount_table_clusters) * geometry.cluster_size()).min(MAX_BYTES);
    let mut next = header.refcount_table_offset;
    let end = next.saturating_add(bytes).min(file.size());
    let mut window = Window::new(WINDOW);
    while end.saturating_sub(next) >= 8 {
        let table = window.read(file, next, end, "refcount table")?;
        next += table.len() as u64;
        for entry in words(table) {
            let offset = entry & OFFSET_MASK;
            if offset != 0 && offset.is_multiple_of(geometry.cluster_size()) && offset < file.size() {
                found(offset);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_cluster::FirstCluster;
    use image_builders::qcow2::{Built, Image};

    fn found(built: &Built) -> Vec<u64> {
        let directory = tempfile::tempdir().unwrap();
        let file = ImageFile::open(&built.write_to(directory.path()).unwrap()).unwrap();
        let first = FirstCluster::read(&file).unwrap();
        let mut found = Vec::new();
        blocks(&file, &first.header, &first.geometry, |offset| found.push(offset)).unwrap();
        found
    }

    #[test]
    fn blocks_are_where_the_table_says_and_nonsense_is_left_out() {
        let mut built = Image::new("a", 1 << 20).cluster_bits(9).build();
        assert!(found(&built).is_empty());
        let table = built.places.refcount_table;
        for (entry, offset) in [0x400, 0, 0x200, 0x300 | 0x80, 1 << 62, u64::MAX].into_iter().enumerate() {
            built.put_u64(table + entry as u64 * 8, offset);
        }
        assert_eq!(found(&built), [0x400, 0x200, 0x200]);
        // A table that is cut off, in the middle of an entry, and one that is nowhere.
        built.put_u64(48, built.bytes.len() as u64 - 9);
        assert!(found(&built).is_empty());
        built.put_u64(48, u64::MAX);
        built.put_u32(56, u32::MAX);
        assert!(found(&built).is_empty());
    }
}
