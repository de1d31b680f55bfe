//! Sector bitmaps, and the batmap, which has the same bits: the highest bit of the first byte is the first one.

/// How many bits from `from` on, up to `end` (exclusive) or the end of `bytes`, are like the first of them, and whether
/// they are set. `None` when there is no such bit.
pub(crate) fn run(bytes: &[u8], from: usize, end: usize) -> Option<(usize, bool)> {
    let end = end.min(bytes.len() * 8);
    if from >= end {
        return None;
    }
    let set = bytes[from / 8] >> (7 - from % 8) & 1 == 1;
    // With the run's bits turned to zeros, its length is a matter of leading zeros.
    let flip = if set { 0xff } else { 0 };
    let mut length = ((bytes[from / 8] ^ flip) << (from % 8)).leading_zeros() as usize;
    length = length.min(8 - from % 8);
    if length == 8 - from % 8 {
        let rest = &bytes[from / 8 + 1..];
        let whole = rest.iter().take_while(|&&byte| byte == flip).count();
        length += whole * 8;
        length += rest.get(whole).map_or(0, |byte| (byte ^ flip).leading_zeros() as usize);
    }
    Some((length.min(end - from), set))
}

/// One more than the last set bit before `end`; 0 when none is set.
pub(crate) fn used(bytes: &[u8], end: usize) -> usize {
    let (mut from, mut used) = (0, 0);
    while let Some((length, set)) = run(bytes, from, end) {
        from += length;
        if set {
            used = from;
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bit_7_of_byte_0_is_sector_0() {
        assert_eq!(run(&[0x80, 0], 0, 16), Some((1, true)));
        assert_eq!(run(&[0x80, 0], 1, 16), Some((15, false)));
        assert_eq!(run(&[0x80, 0], 16, 20), None);
        assert_eq!(used(&[0x80, 0x02, 0], 24), 15);
        assert_eq!(used(&[0, 0], 16), 0);
    }

    proptest! {
        #[test]
        fn runs_are_the_bits_one_by_one(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 0..20),
            end in 0..180_usize,
        ) {
            let bits = end.min(bytes.len() * 8);
            let truth: Vec<bool> = (0..bits).map(|bit| bytes[bit / 8] & (0x80 >> (bit % 8)) != 0).collect();
            let mut found = Vec::new();
            while let Some((length, set)) = run(&bytes, found.len(), end) {
                prop_assert!(length > 0 && found.last() != Some(&set), "runs are maximal");
                found.extend(std::iter::repeat_n(set, length));
            }
            prop_assert_eq!(&found, &truth);
            prop_assert_eq!(used(&bytes, end), truth.iter().rposition(|&set| set).map_or(0, |last| last + 1));
        }
    }
}
