//! The metadata of a VHD as bytes: footer, dynamic header, parent locators and batmap header.

use super::seal::{BATMAP_CHECKSUM, FOOTER_CHECKSUM, HEADER_CHECKSUM, checksum, seal};
use super::{Disk, Vhd, to_u32};

/// Bytes of a sector.
pub const SECTOR: u64 = 512;

/// An entry of the locator table and the name it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locator {
    /// How the name is written: `MacX`, `W2ku`, `W2ru`...
    pub code: [u8; 4],
    /// The name, encoded.
    pub name: Vec<u8>,
    /// Room for the name as the entry gives it: sectors below 512, else bytes. It takes whole sectors in the file.
    pub space: u32,
}

impl Locator {
    /// A `MacX` locator with this URL.
    pub fn mac(url: &str) -> Self {
        Locator::new(*b"MacX", url.into())
    }

    /// A `W2ku` or `W2ru` locator with this path.
    pub fn windows(code: [u8; 4], path: &str) -> Self {
        Locator::new(code, path.encode_utf16().flat_map(u16::to_le_bytes).collect())
    }

    /// A locator whose space is given in bytes.
    pub fn new(code: [u8; 4], name: Vec<u8>) -> Self {
        let space = to_u32(name.len().next_multiple_of(512));
        Locator { code, name, space }
    }
}

pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The 512 bytes of the footer, whose header lies at byte `header`.
pub(super) fn footer(image: &Vhd, header: u64) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    put(&mut bytes, 0, b"conectix");
    put(&mut bytes, 8, &2_u32.to_be_bytes());
    put(&mut bytes, 12, &0x0001_0000_u32.to_be_bytes());
    put(&mut bytes, 16, &header.to_be_bytes());
    let (creator, version) = image.creator.unwrap_or(if image.batmap {
        (*b"tap\0", 0x0001_0003)
    } else {
        (*b"made", 0x0001_0000)
    });
    put(&mut bytes, 28, &creator);
    put(&mut bytes, 32, &version.to_be_bytes());
    put(&mut bytes, 40, &image.size.to_be_bytes());
    put(&mut bytes, 48, &image.size.to_be_bytes());
    put(&mut bytes, 56, &image.geometry.0.to_be_bytes());
    put(&mut bytes, 58, &[image.geometry.1, image.geometry.2]);
    let disk_type: u32 = match image.disk {
        Disk::Raw | Disk::Fixed => 2,
        Disk::Dynamic => 3,
        Disk::Differencing => 4,
    };
    put(&mut bytes, 60, &disk_type.to_be_bytes());
    put(&mut bytes, 68, &image.unique_id);
    seal(&mut bytes, FOOTER_CHECKSUM);
    bytes
}

/// The 1024 bytes of the dynamic header; `names` has for each locator the byte at which its name lies.
pub(super) fn header(image: &Vhd, table: u64, entries: u32, names: &[u64]) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    put(&mut bytes, 0, b"cxsparse");
    put(&mut bytes, 8, &[0xff; 8]);
    put(&mut bytes, 16, &table.to_be_bytes());
    put(&mut bytes, 24, &0x0001_0000_u32.to_be_bytes());
    put(&mut bytes, 28, &entries.to_be_bytes());
    put(&mut bytes, 32, &(1_u32 << image.block_bits).to_be_bytes());
    put(&mut bytes, 40, &image.parent_id);
    let name: Vec<u8> = image.parent_name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    put(&mut bytes, 64, &name);
    for ((locator, &place), at) in image.locators.iter().zip(names).zip((576..).step_by(24)) {
        put(&mut bytes, at, &locator.code);
        put(&mut bytes, at + 4, &locator.space.to_be_bytes());
        let length = to_u32(locator.name.len());
        put(&mut bytes, at + 8, &length.to_be_bytes());
        put(&mut bytes, at + 16, &place.to_be_bytes());
    }
    seal(&mut bytes, HEADER_CHECKSUM);
    bytes
}

/// The sector of the batmap header; its `bits` lie at byte `place`.
pub(super) fn batmap_header(place: u64, bits: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    put(&mut bytes, 0, b"tdbatmap");
    put(&mut bytes, 8, &place.to_be_bytes());
    let sectors = to_u32(bits.len() / 512);
    put(&mut bytes, 16, &sectors.to_be_bytes());
    put(&mut bytes, 20, &0x0001_0002_u32.to_be_bytes());
    put(&mut bytes, BATMAP_CHECKSUM, &checksum(bits).to_be_bytes());
    bytes
}
