//! Whether bytes are zero: most of a disk is, and nothing of it needs to be kept.

/// Whether all bytes are zero. Data ends it at its first page; comparing with known zeros runs at the speed of memory.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_anywhere_is_not_zero() {
        for length in [0, 1, 4095, 4096, 4097, 1 << 20] {
            let mut bytes = vec![0; length];
            assert!(is_zero(&bytes));
            for at in [0, length / 2, length.saturating_sub(1)] {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = 1;
                    assert!(!is_zero(&bytes), "{at} of {length}");
                    bytes[at] = 0;
                }
            }
        }
    }
}
