//! The checksum of the structures of a VHD: the complement of the sum of their bytes ("VHD specification 1.0").

use super::structures::put;

/// Offset of the checksum in a footer, which has 512 bytes.
pub const FOOTER_CHECKSUM: usize = 64;
/// Offset of the checksum in a dynamic header, which has 1024 bytes.
pub const HEADER_CHECKSUM: usize = 36;
/// Offset of the checksum in the header of a batmap: that of its bits.
pub(super) const BATMAP_CHECKSUM: usize = 24;

/// The checksum of `bytes`.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>()
}

/// Puts the right checksum into a structure, whose own field, at offset `field`, counts as zero.
pub fn seal(structure: &mut [u8], field: usize) {
    put(structure, field, &[0; 4]);
    let sum = checksum(structure);
    put(structure, field, &sum.to_be_bytes());
}
