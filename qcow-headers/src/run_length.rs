//! How far a table goes on as it began. L1, L2 and extended L2 tables are all big-endian words that are alike once
//! their flags are masked, or grow by a cluster a step; counting them is nearly all the work of a walk.

/// Words of a table that follow one rule.
#[derive(Clone, Copy, Debug)]
pub struct Progression {
    /// The bits that count.
    pub mask: u64,
    /// The masked value of the first word.
    pub first: u64,
    /// What each word adds to the one before it.
    pub step: u64,
}

impl Progression {
    /// How many of `words`, from the first on, follow the rule.
    pub fn count(self, words: impl Iterator<Item = u64>) -> usize {
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
pub fn words(table: &[u8]) -> impl Iterator<Item = u64> + Clone {
    table.as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word))
}
