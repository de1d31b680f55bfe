//! The L2 tables that a walk has seen, looked at again when it has ended: a guest that is given a cluster meanwhile
//! changes an entry there and nothing else.

use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::second_look::Fingerprint;

use crate::geometry::Geometry;
use crate::l1_table::{L1Table, Stretch};

/// Bytes of the L1 table that are held at a time.
const L1_WINDOW: usize = 64 << 10;

/// Reads the L2 tables again, in the order of the L1 table and as many bytes as `seen` covers, and yields their fingerprint.
pub(crate) fn seen_again(
    file: &ImageFile,
    geometry: &Geometry,
    seen: Fingerprint,
) -> Result<Fingerprint, Failure> {
    let mut l1 = L1Table::new(file, geometry, L1_WINDOW);
    let mut now = Fingerprint::default();
    while now.bytes() < seen.bytes()
        && let Some(stretch) = l1.next_stretch()?
    {
        if let Stretch::Tables { offset, tables } = stretch {
            let length = (tables * geometry.cluster_size()).min(seen.bytes() - now.bytes());
            now.add_range(file, offset..offset + length, "L2 table")?;
        }
    }
    Ok(now)
}
