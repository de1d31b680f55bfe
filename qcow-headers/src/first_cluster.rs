//! All that the first cluster of an image says: the header, the header extensions, and the name of the backing file.

use extents::extent::length::in_memory;
use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::magic;

use crate::geometry::Geometry;
use crate::header::{BITMAPS_VALID, HEADER_BYTES, Header, MAGIC, incompatible};
use crate::header_extension::{HeaderExtensions, text};
use crate::snapshot_table;

/// What the first cluster says.
#[derive(Clone, Debug)]
pub(crate) struct FirstCluster {
    /// The header as it stands there.
    pub(crate) header: Header,
    /// What it means, with the snapshot table among the metadata.
    pub(crate) geometry: Geometry,
    /// Name of the backing file; none when there is no backing file.
    pub(crate) backing_name: Option<Vec<u8>>,
    /// Format of the backing file and name of the external data file.
    pub(crate) extensions: HeaderExtensions,
}

impl FirstCluster {
    /// Reads and checks the first cluster of `file`, all of which must lie inside the file.
    pub(crate) fn read(file: &ImageFile) -> Result<Self, Failure> {
        let in_file = |failure: Failure| failure.in_file(file.path());
        let seen = in_memory(file.size()).min(HEADER_BYTES);
        let mut bytes = vec![0; seen];
        file.read_exact_at(&mut bytes, 0, "header")?;
        if !bytes.starts_with(MAGIC) {
            let found = magic::describe_file(file, "qcow2")?;
            return Err(in_file(Failure::damaged(format!(
                "is not a QCOW2 image: found {found}, expected the magic \"QFI\\xfb\""
            ))));
        }
        let header = Header::parse(&bytes).map_err(in_file)?;
        let mut geometry = Geometry::new(&header).map_err(in_file)?;
        geometry.metadata.push(("the snapshot table", snapshot_table::range(file, &header)?));

        // At most 2 MiB.
        bytes.resize(1 << header.cluster_bits, 0);
        file.read_exact_at(&mut bytes, 0, "first cluster")?;
        let outside =
            || file.damaged("the header or the name of the backing file ends outside of the first cluster");
        let (head, backing_name) = match in_memory(header.backing_file_offset) {
            0 => (bytes.as_slice(), None),
            offset => {
                let (head, rest) = bytes.split_at_checked(offset).ok_or_else(outside)?;
                let name = rest.get(..header.backing_file_size as usize).ok_or_else(outside)?;
                (head, Some(text(name)))
            }
        };
        let area = head.get(header.header_length as usize..).ok_or_else(outside)?;
        let (extensions, areas) = HeaderExtensions::parse(area).map_err(in_file)?;
        let bitmaps = areas.bitmap_directory.filter(|_| header.autoclear_features & BITMAPS_VALID != 0);
        geometry.metadata.extend(bitmaps.map(|range| ("the bitmap directory", range)));
        geometry.metadata.extend(areas.encryption_header.map(|range| ("the encryption header", range)));
        Ok(FirstCluster {
            header,
            geometry,
            backing_name: backing_name.filter(|n| !n.is_empty()),
            extensions,
        })
    }

    /// What a walk relies on. The rest of the header changes with the use of an image: a dirty bit comes and goes, and
    /// the refcount table moves as the image grows.
    pub(crate) fn decisive(&self) -> (Geometry, Option<&[u8]>, &HeaderExtensions, u32) {
        let geometry = Geometry { metadata: Vec::new(), ..self.geometry };
        (geometry, self.backing_name.as_deref(), &self.extensions, self.header.crypt_method)
    }

    /// Whether the data in the file is ciphertext.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.header.crypt_method != 0
    }

    /// Whether the image was not closed properly; its L1 and L2 tables are valid all the same.
    pub(crate) fn is_dirty(&self) -> bool {
        self.header.incompatible_features & incompatible::DIRTY != 0
    }
}
