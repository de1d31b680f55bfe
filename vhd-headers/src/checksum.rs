//! The checksum that footer, dynamic header and batmap share: the complement of the sum of all bytes.

/// Bytes that a checksum field takes.
const FIELD: usize = 4;

/// The checksum of `bytes` as it should stand at `field` (offset of the 32-bit field), which counts as zeros.
pub(crate) fn expected(bytes: &[u8], field: usize) -> u32 {
    let of_field = bytes.iter().skip(field).take(FIELD);
    !sum(bytes).wrapping_sub(of_field.map(|&byte| u32::from(byte)).sum())
}

/// The sum of all bytes, modulo 2^32.
pub(crate) fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, &byte| sum.wrapping_add(u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_itself_does_not_count() {
        assert_eq!(expected(&[1, 2, 9, 9, 9, 9, 3], 2), !6);
        assert_eq!(expected(&[1, 2, 0, 0, 0, 0, 3], 2), !6);
    }
}
