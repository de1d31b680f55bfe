//! Arithmetic between bytes and units of a power of two, always outwards: rounding may add bytes, never lose one.

/// The largest unit that a document may have: 2^62 bytes, so that a unit is still a number of bytes.
pub const MAX_UNIT_BITS: u32 = 62;

/// The units that the bytes `[start, end)` touch, first and last inclusive; none when there are no bytes.
///
/// ```
/// use extents::extent::rescale::touched;
/// assert_eq!(touched(4095, 4097, 12), Some((0, 1)));
/// assert_eq!(touched(4096, 4096, 12), None);
/// ```
pub fn touched(start: u64, end: u64, unit_bits: u32) -> Option<(u64, u64)> {
    (start < end).then(|| (start >> unit_bits, (end - 1) >> unit_bits))
}

/// How many units cover `size` bytes.
pub fn units(size: u64, unit_bits: u32) -> u64 {
    touched(0, size, unit_bits).map_or(0, |(_, last)| last + 1)
}

/// The bytes of the units `first..=last`, as `[start, end)` cut at `size`; none when they begin at or after `size`.
pub(crate) fn bytes_of(first: u64, last: u64, unit_bits: u32, size: u64) -> Option<(u64, u64)> {
    let last_unit = units(size, unit_bits).checked_sub(1)?;
    if first > last || first > last_unit {
        return None;
    }
    let end = if last >= last_unit { size } else { (last + 1) << unit_bits };
    Some((first << unit_bits, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        assert_eq!(units(u64::MAX, 0), u64::MAX);
        assert_eq!(bytes_of(0, u64::MAX, 0, u64::MAX), Some((0, u64::MAX)));
        assert_eq!(bytes_of(3, u64::MAX, 62, u64::MAX), Some((3 << 62, u64::MAX)));
        assert_eq!(bytes_of(0, 0, 20, 0), None);
    }

    proptest! {
        #[test]
        fn outward_rounding_covers_the_range_with_less_than_a_unit_at_each_end(
            start in 0..1_u64 << 40, length in 1..1_u64 << 40, bits in 0..41_u32,
        ) {
            let end = start + length;
            let (first, last) = touched(start, end, bits).unwrap();
            let (from, until) = bytes_of(first, last, bits, u64::MAX).unwrap();
            prop_assert!(from <= start && end <= until);
            prop_assert!(start - from < 1 << bits && until - end < 1 << bits);
        }
    }
}
