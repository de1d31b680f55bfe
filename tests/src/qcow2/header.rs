//! The first cluster: header, header extensions, name of the backing file.

use super::Image;
use super::layout::Places;

const DATA_FILE_BIT: u64 = 1 << 2;
const COMPRESSION_BIT: u64 = 1 << 3;
const EXTENDED_L2_BIT: u64 = 1 << 4;

/// The header cluster of `image`, shorter than a cluster.
pub(super) fn first_cluster(image: &Image, places: &Places) -> Vec<u8> {
    let mut features = image.incompatible_features;
    for (set, bit) in [
        (image.data_file.is_some(), DATA_FILE_BIT),
        (image.zstd, COMPRESSION_BIT),
        (image.extended_l2, EXTENDED_L2_BIT),
    ] {
        features |= if set { bit } else { 0 };
    }
    let extensions = extensions(image);
    let header_length = if image.version == 2 { 72 } else { 112 };
    let name = image.backing.as_ref().map(|(name, _)| name.as_bytes()).unwrap_or_default();
    let name_offset = if image.backing.is_some() { header_length + extensions.len() } else { 0 };

    let mut bytes = b"QFI\xfb".to_vec();
    put_u32(&mut bytes, image.version);
    put_u64(&mut bytes, name_offset as u64);
    put_u32(&mut bytes, u32::try_from(name.len()).unwrap_or(u32::MAX));
    put_u32(&mut bytes, image.cluster_bits);
    put_u64(&mut bytes, image.virtual_size);
    put_u32(&mut bytes, image.crypt_method);
    put_u32(&mut bytes, places.l1_size);
    put_u64(&mut bytes, places.l1);
    put_u64(&mut bytes, places.refcount_table);
    put_u32(&mut bytes, 1);
    put_u32(&mut bytes, image.snapshots);
    put_u64(&mut bytes, places.snapshot_table);
    if image.version > 2 {
        put_u64(&mut bytes, features);
        put_u64(&mut bytes, 0);
        put_u64(&mut bytes, 0);
        put_u32(&mut bytes, 4); // refcount_order: 16 bits
        put_u32(&mut bytes, 112);
        put_u64(&mut bytes, if image.zstd { 1 << 56 } else { 0 });
    }
    bytes.extend(extensions);
    bytes.extend(name);
    bytes
}

/// The extensions, with one among them that says nothing about where data is.
fn extensions(image: &Image) -> Vec<u8> {
    let mut bytes = Vec::new();
    extension(&mut bytes, 0x6803_F857, &[0; 48]);
    if let Some((_, Some(format))) = &image.backing {
        extension(&mut bytes, 0xE279_2ACA, format.as_bytes());
    }
    if let Some(name) = &image.data_file {
        extension(&mut bytes, 0x4441_5441, name.as_bytes());
    }
    extension(&mut bytes, 0, &[]);
    bytes
}

fn extension(bytes: &mut Vec<u8>, kind: u32, data: &[u8]) {
    put_u32(bytes, kind);
    put_u32(bytes, u32::try_from(data.len()).unwrap_or(u32::MAX));
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

fn put_u32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend(value.to_be_bytes());
}

fn put_u64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend(value.to_be_bytes());
}
