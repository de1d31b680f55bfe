//! The CRC-32 of a whole disk, of which only some blocks are read: the zeros between them are folded in by
//! arithmetic. It is the number that `gzip`, `zip` and `7z` give for the raw image.

use crc32fast::Hasher;

/// The CRC-32 of the bytes so far.
#[derive(Clone, Debug)]
pub(crate) struct Crc32 {
    sum: Hasher,
    /// CRC-32 of 2^n zero bytes, for each n.
    powers: [u32; 64],
}

impl Default for Crc32 {
    fn default() -> Self {
        let mut powers = [crc32fast::hash(&[0]); 64];
        for bit in 1..64 {
            let mut sum = Hasher::new_with_initial_len(powers[bit - 1], 1 << (bit - 1));
            let half = sum.clone();
            sum.combine(&half);
            powers[bit] = sum.finalize();
        }
        Crc32 { sum: Hasher::new(), powers }
    }
}

impl Crc32 {
    /// The CRC-32 of no bytes.
    pub(crate) fn new() -> Self {
        Crc32::default()
    }

    /// Appends `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
    }

    /// Appends `length` bytes whose CRC-32 is `crc`: the work of another thread.
    pub(crate) fn append(&mut self, crc: u32, length: u64) {
        self.sum.combine(&Hasher::new_with_initial_len(crc, length));
    }

    /// Appends `length` zero bytes.
    pub(crate) fn zeros(&mut self, length: u64) {
        for (bit, &crc) in self.powers.iter().enumerate() {
            if length >> bit & 1 == 1 {
                self.sum.combine(&Hasher::new_with_initial_len(crc, 1 << bit));
            }
        }
    }

    /// Bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.sum.total_len()
    }

    /// The CRC-32 of the bytes so far.
    pub(crate) fn finish(&self) -> u32 {
        self.sum.clone().finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values of python3's `zlib.crc32`.
    #[test]
    fn it_is_the_crc_of_zlib() {
        let mut crc = Crc32::new();
        assert_eq!(crc.finish(), 0);
        crc.update(b"123456789");
        assert_eq!(crc.finish(), 0xcbf4_3926);
        let mut zeros = Crc32::new();
        zeros.zeros(1 << 20);
        assert_eq!(zeros.finish(), 0xa738_ea1c);
    }

    proptest! {
        #[test]
        fn zeros_and_appended_parts_count_as_if_they_were_read(a in any::<Vec<u8>>(), gap in 0..5000_usize, b in any::<Vec<u8>>()) {
            let mut crc = Crc32::new();
            crc.update(&a);
            crc.zeros(gap as u64);
            crc.append(crc32fast::hash(&b), b.len() as u64);
            let whole = [a, vec![0; gap], b].concat();
            prop_assert_eq!(crc.finish(), crc32fast::hash(&whole));
            prop_assert_eq!(crc.length(), whole.len() as u64);
        }
    }
}
