//! How far a table goes on as it began. L1, L2 and extended L2 tables are all big-endian words that are alike once
//! their flags are masked, or grow by a cluster a step; counting them is nearly all the work of a walk.

/// Words of a table that follow one rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progression {
    /// The bits that count.
    pub(crate) mask: u64,
    /// The masked value of the first word.
    pub(crate) first: u64,
    /// What each word adds to the one before it.
    pub(crate) step: u64,
}

impl Progression {
    /// How many of `words`, from the first on, follow the rule.
    pub(crate) fn count(self, words: impl Iterator<Item = u64>) -> usize {
        let mut expected = self.first;
        words
            .take_while(|word| {
                let follows = word & self.mask == expected;
                expected = expected.wrapping_add(self.step);
                follows
            })
            .count()
    }
}

/// The big-endian words of a table; bytes after the last whole one are left out.
pub(crate) fn words(table: &[u8]) -> impl Iterator<Item = u64> + Clone {
    table.as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_bits_do_not_end_a_run_and_a_wrong_step_does() {
        let rising = Progression { mask: !0xF, first: 0x100, step: 0x10 };
        assert_eq!(rising.count([0x101, 0x11F, 0x120, 0x140].into_iter()), 3);
        let alike = Progression { mask: 1, first: 0, step: 0 };
        assert_eq!(alike.count([2, 4, 6].into_iter()), 3);
    }

    #[test]
    fn a_progression_may_pass_the_end_of_the_numbers() {
        let rising = Progression { mask: u64::MAX, first: u64::MAX, step: 1 };
        assert_eq!(rising.count([u64::MAX, 0, 1].into_iter()), 3);
    }

    #[test]
    fn words_are_big_endian_and_whole() {
        let table = [0, 0, 0, 0, 0, 0, 1, 2, 3];
        assert_eq!(words(&table).collect::<Vec<_>>(), [0x102]);
    }
}
