//! Where a block belongs: its number counts the blocks, and says only through the gaps before it at which byte it is.
//!
//! Source: xapi's `stream_vdi.ml`, `recv_all_vdi`. A zero-length block takes a number and no bytes.

/// The blocks of one disk so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placement {
    /// The last block.
    last: Option<Numbered>,
    /// Guest byte at which it ends.
    end: u64,
}

#[derive(Clone, Debug)]
struct Numbered {
    /// The number as it stands in the name.
    digits: String,
    number: u64,
}

/// A block that has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Guest bytes from the start of the disk.
    pub(crate) offset: u64,
    /// The number is above the last one, and yet the importer, which compares the digits as text, refuses it.
    pub(crate) sorts_before_last: bool,
}

impl Placement {
    /// Guest bytes up to the end of the last block.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Puts a block of `length` bytes after the last one. `block_length` is that of the first block of the archive,
    /// which the importer takes for every block that is left out. The sentence says why it has no place.
    pub(crate) fn push(&mut self, digits: &str, length: u64, block_length: u64) -> Result<Place, String> {
        let number: u64 = digits.parse().map_err(|_| "the block number is too large".to_owned())?;
        let gap = match &self.last {
            None => number,
            Some(last) => number.checked_sub(last.number + 1).ok_or_else(|| {
                let last = &last.digits;
                format!("the block number does not increase: found {digits}, expected more than {last}")
            })?,
        };
        let sorts_before_last = self.last.as_ref().is_some_and(|last| digits <= last.digits.as_str());
        if gap > 0 && block_length == 0 {
            return Err("blocks are left out before it, but the first block of the archive, whose length \
                        they would have, is empty"
                .to_owned());
        }
        let offset = gap.checked_mul(block_length).and_then(|skipped| self.end.checked_add(skipped));
        let end =
            offset.and_then(|offset| offset.checked_add(length)).filter(|end| i64::try_from(*end).is_ok());
        let (Some(offset), Some(end)) = (offset, end) else {
            return Err(format!("the block lies outside every disk: found number {digits}"));
        };
        self.last = Some(Numbered { digits: digits.to_owned(), number });
        self.end = end;
        Ok(Place { offset, sorts_before_last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(blocks: &[(&str, u64)], block_length: u64) -> Result<Vec<u64>, String> {
        let mut placement = Placement::default();
        blocks
            .iter()
            .map(|(digits, length)| Ok(placement.push(digits, *length, block_length)?.offset))
            .collect()
    }

    #[test]
    fn a_keepalive_takes_a_number_and_no_bytes() {
        let blocks = [("00000000", 10), ("00000001", 0), ("00000002", 10), ("00000005", 10), ("00000006", 4)];
        assert_eq!(offsets(&blocks, 10).unwrap(), [0, 10, 10, 40, 50]);
    }

    #[test]
    fn the_first_block_may_have_any_number() {
        assert_eq!(offsets(&[("3", 10), ("4", 10)], 10).unwrap(), [30, 40]);
    }

    #[test]
    fn numbers_must_increase_and_stay_in_range() {
        for blocks in [
            &[("1", 10), ("1", 10)][..],
            &[("2", 10), ("00000001", 10)],
            &[("18446744073709551615", 10)],
            &[("18446744073709551616", 10)],
            &[("922337203685477581", 10)],
        ] {
            assert!(offsets(blocks, 10).is_err(), "{blocks:?}");
        }
        assert!(offsets(&[("00000000", 0), ("00000001", 5)], 0).is_ok());
        assert!(offsets(&[("00000000", 0), ("00000002", 5)], 0).is_err());
    }

    #[test]
    fn a_ninth_digit_sorts_before_the_eighth() {
        let mut placement = Placement::default();
        assert!(!placement.push("99999999", 1, 1).unwrap().sorts_before_last);
        assert!(placement.push("100000000", 1, 1).unwrap().sorts_before_last);
    }
}
