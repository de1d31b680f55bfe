//! A set of clusters or blocks as a paged bitmap: the result of a union, whatever the order of what went in.

use crate::extent::length::in_memory;

/// Units in a page: a page of bits takes 8 KiB.
const PAGE_UNITS: u64 = 1 << 16;
const WORDS: usize = (PAGE_UNITS / 64) as usize;

/// A set of unit numbers below [`UnitSet::MAX_UNITS`].
///
/// Memory: 16 bytes for each 65 536 units up to the highest, and 8 KiB for each such page that is
/// neither empty nor filled by one run. The largest XVA has 10^8 blocks: 12.5 MiB at most.
#[derive(Clone, Debug, Default)]
pub struct UnitSet {
    pages: Vec<Page>,
    /// How many of the pages have bits.
    bit_pages: usize,
}

#[derive(Clone, Debug, Default)]
enum Page {
    #[default]
    Empty,
    Full,
    Bits(Box<[u64; WORDS]>),
}

impl UnitSet {
    /// One more than the highest unit: 32 TiB by the sector, 64 EiB by the MiB. It bounds the page table to 16 MiB.
    pub const MAX_UNITS: u64 = 1 << 36;

    /// Pages of bits that a set should have at most, 512 MiB: enough for 2 TiB by the sector.
    const MAX_BIT_PAGES: usize = 1 << 16;

    /// The empty set.
    pub fn new() -> Self {
        UnitSet::default()
    }

    /// Adds the units `first..=last`; units from [`UnitSet::MAX_UNITS`] on are left out.
    pub fn insert(&mut self, first: u64, last: u64) {
        let last = last.min(Self::MAX_UNITS - 1);
        let mut next = first;
        while next <= last {
            let page_last = (next | (PAGE_UNITS - 1)).min(last);
            let page = in_memory(next / PAGE_UNITS);
            if self.pages.len() <= page {
                self.pages.resize_with(page + 1, Page::default);
            }
            self.bit_pages += usize::from(self.pages[page].insert(next % PAGE_UNITS, page_last % PAGE_UNITS));
            next = page_last + 1;
        }
    }

    /// Whether the set takes more memory than any disk is worth. It grows on all the same: whoever fills it from input
    /// that may be hostile must ask.
    pub(crate) fn is_too_large(&self) -> bool {
        self.bit_pages > Self::MAX_BIT_PAGES
    }

    /// Whether the set has this unit.
    pub fn contains(&self, unit: u64) -> bool {
        match self.pages.get(in_memory(unit / PAGE_UNITS)) {
            None | Some(Page::Empty) => false,
            Some(Page::Full) => true,
            Some(Page::Bits(bits)) => {
                let unit = unit % PAGE_UNITS;
                bits[word_of(unit)] & (1 << (unit % 64)) != 0
            }
        }
    }

    /// How many units the set has.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> u64 {
        let of_page = |page: &Page| match page {
            Page::Empty => 0,
            Page::Full => PAGE_UNITS,
            Page::Bits(bits) => bits.iter().map(|word| u64::from(word.count_ones())).sum(),
        };
        self.pages.iter().map(of_page).sum()
    }

    /// The maximal runs, ascending, first and last inclusive.
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        std::iter::successors(self.next_run(0), |&(_, last)| self.next_run(last + 1))
    }

    /// The first maximal run, first and last inclusive, of the units from `from` on.
    pub fn next_run(&self, from: u64) -> Option<(u64, u64)> {
        let first = self.find(from, true)?;
        // The pages end with a page that is not empty: the run may end with it.
        let after = self.find(first, false).unwrap_or(self.pages.len() as u64 * PAGE_UNITS);
        Some((first, after - 1))
    }

    /// The first unit at or after `from` that is in the set (`wanted`) or not in it.
    fn find(&self, from: u64, wanted: bool) -> Option<u64> {
        let mut unit = from;
        while let Some(page) = self.pages.get(in_memory(unit / PAGE_UNITS)) {
            let here = match page {
                Page::Empty => (!wanted).then_some(unit % PAGE_UNITS),
                Page::Full => wanted.then_some(unit % PAGE_UNITS),
                Page::Bits(bits) => find_bit(bits, unit % PAGE_UNITS, wanted),
            };
            if let Some(index) = here {
                return Some(unit / PAGE_UNITS * PAGE_UNITS + index);
            }
            unit = (unit / PAGE_UNITS + 1) * PAGE_UNITS;
        }
        None
    }
}

impl Page {
    /// Adds the units `first..=last` of this page; true when it had no bits and has some now.
    fn insert(&mut self, first: u64, last: u64) -> bool {
        if matches!(self, Page::Full) {
            return false;
        }
        if first == 0 && last == PAGE_UNITS - 1 {
            // Its bits, if it had any, stay counted: a page that is filled twice is none to save on.
            *self = Page::Full;
            return false;
        }
        let was_empty = matches!(self, Page::Empty);
        if was_empty {
            *self = Page::Bits(Box::new([0; WORDS]));
        }
        if let Page::Bits(bits) = self {
            let (low, high) = (word_of(first), word_of(last));
            for (word, bits) in bits.iter_mut().enumerate().take(high + 1).skip(low) {
                let from = if word == low { first % 64 } else { 0 };
                let until = if word == high { last % 64 } else { 63 };
                *bits |= (u64::MAX >> (63 - until)) & (u64::MAX << from);
            }
        }
        was_empty
    }
}

fn word_of(index: u64) -> usize {
    in_memory(index / 64)
}

/// The first bit at or after `from` that is `wanted`.
fn find_bit(bits: &[u64; WORDS], from: u64, wanted: bool) -> Option<u64> {
    let flip = if wanted { 0 } else { u64::MAX };
    let start = word_of(from);
    let first = (bits[start] ^ flip) & (u64::MAX << (from % 64));
    std::iter::once(first)
        .chain(bits[start + 1..].iter().map(|word| word ^ flip))
        .zip(start as u64..)
        .find(|(word, _)| *word != 0)
        .map(|(word, index)| index * 64 + u64::from(word.trailing_zeros()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_last_unit_of_all_can_be_held() {
        let mut set = UnitSet::new();
        set.insert(UnitSet::MAX_UNITS - 1, u64::MAX);
        assert_eq!(set.runs().collect::<Vec<_>>(), [(UnitSet::MAX_UNITS - 1, UnitSet::MAX_UNITS - 1)]);
        set.insert(UnitSet::MAX_UNITS, u64::MAX);
        assert_eq!(set.len(), 1);
    }

    #[test]
    fn runs_may_begin_and_end_with_a_page() {
        let runs = [
            (PAGE_UNITS - 6, PAGE_UNITS - 1),
            (2 * PAGE_UNITS, 3 * PAGE_UNITS - 1),
            (5 * PAGE_UNITS, 6 * PAGE_UNITS),
        ];
        let mut set = UnitSet::new();
        for (first, last) in runs {
            set.insert(first, last);
        }
        assert_eq!(set.runs().collect::<Vec<_>>(), runs);
        // From inside of a page that is full, and of one that is empty.
        assert_eq!(set.next_run(2 * PAGE_UNITS + 7), Some((2 * PAGE_UNITS + 7, 3 * PAGE_UNITS - 1)));
        assert_eq!(set.next_run(3 * PAGE_UNITS + 7), Some(runs[2]));
    }

    #[test]
    fn a_disk_that_is_all_data_takes_no_bits_however_large_it_is() {
        let mut set = UnitSet::new();
        set.insert(0, UnitSet::MAX_UNITS / 8);
        assert!(!set.is_too_large());
        assert_eq!(set.len(), UnitSet::MAX_UNITS / 8 + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_a_set(runs in prop::collection::vec((0..140_000_u64, prop_oneof![0..200_u64, 0..70_000_u64]), 0..6)) {
            let mut set = UnitSet::new();
            let mut truth = BTreeSet::new();
            for (first, length) in runs {
                set.insert(first, first + length);
                truth.extend(first..=first + length);
            }
            prop_assert_eq!(set.len(), truth.len() as u64);
            let listed: Vec<(u64, u64)> = set.runs().collect();
            prop_assert!(listed.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "runs touch");
            prop_assert!(listed.iter().flat_map(|&(first, last)| first..=last).eq(truth.iter().copied()));
            prop_assert!((0..300_000).step_by(311).all(|unit| set.contains(unit) == truth.contains(&unit)));
            prop_assert!((0..300_000).step_by(977).all(|unit| set.next_run(unit).is_some_and(|run| run.0 == unit) == truth.contains(&unit)));
        }
    }
}
