//! A set of clusters or blocks as a paged bitmap: the result of a union, whatever the order of what went in.

use crate::extent::length::in_memory;
use crate::failure::Failure;

/// Units in a page: a page of bits takes 8 KiB.
const PAGE_UNITS: u64 = 1 << 16;
const WORDS: usize = (PAGE_UNITS / 64) as usize;

/// A set of unit numbers below [`UnitSet::MAX_UNITS`].
///
/// Memory: 16 bytes for each 65 536 units up to the highest, and 8 KiB for each such page that is
/// neither empty nor full. The largest XVA has 10^8 blocks: 12.5 MiB at most.
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
    Bits(Box<[u64]>),
}

impl UnitSet {
    /// One more than the highest unit: 32 TiB by the sector, 64 EiB by the MiB. It bounds the page table to 16 MiB.
    pub const MAX_UNITS: u64 = 1 << 36;

    /// Pages of bits that a set has at most, 32 MiB. Units may be scattered over 256 TiB by the MiB, more than the largest
    /// XVA, over 16 TiB by 64 KiB, the cluster of QCOW2, and over 128 GiB by the sector.
    const MAX_BIT_PAGES: usize = 1 << 12;

    /// The empty set.
    pub fn new() -> Self {
        UnitSet::default()
    }

    /// Adds the units `first..=last`; units from [`UnitSet::MAX_UNITS`] on are left out.
    ///
    /// Status 4 when the units are too many and too scattered to hold, status 1 when the system has no memory for them. After
    /// a failure some of the units are missing, and the set must not be used.
    pub fn insert(&mut self, first: u64, last: u64) -> Result<(), Failure> {
        let last = last.min(Self::MAX_UNITS - 1);
        let mut next = first;
        while next <= last {
            let page_last = (next | (PAGE_UNITS - 1)).min(last);
            let page = in_memory(next / PAGE_UNITS);
            if self.pages.len() <= page {
                let more = page + 1 - self.pages.len();
                self.pages.try_reserve(more).map_err(|_| no_memory(more * size_of::<Page>()))?;
                self.pages.resize_with(page + 1, Page::default);
            }
            let had_bits = self.pages[page].has_bits();
            self.pages[page].insert(next % PAGE_UNITS, page_last % PAGE_UNITS)?;
            self.bit_pages =
                self.bit_pages + usize::from(self.pages[page].has_bits()) - usize::from(had_bits);
            if self.bit_pages > Self::MAX_BIT_PAGES {
                return Err(Failure::unsupported(
                    "too many scattered clusters to hold: expected larger ones",
                ));
            }
            next = page_last + 1;
        }
        Ok(())
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
    fn has_bits(&self) -> bool {
        matches!(self, Page::Bits(_))
    }

    /// Adds the units `first..=last` of this page.
    fn insert(&mut self, first: u64, last: u64) -> Result<(), Failure> {
        if first == 0 && last == PAGE_UNITS - 1 {
            *self = Page::Full;
        }
        if matches!(self, Page::Empty) {
            *self = Page::Bits(zero_words()?);
        }
        let Page::Bits(bits) = self else { return Ok(()) };
        let (low, high) = (word_of(first), word_of(last));
        for (word, bits) in bits.iter_mut().enumerate().take(high + 1).skip(low) {
            let from = if word == low { first % 64 } else { 0 };
            let until = if word == high { last % 64 } else { 63 };
            *bits |= (u64::MAX >> (63 - until)) & (u64::MAX << from);
        }
        // Runs come in order, mostly: the last unit comes last.
        if last == PAGE_UNITS - 1 && bits.iter().all(|word| *word == u64::MAX) {
            *self = Page::Full;
        }
        Ok(())
    }
}

fn zero_words() -> Result<Box<[u64]>, Failure> {
    let mut words = Vec::new();
    words.try_reserve_exact(WORDS).map_err(|_| no_memory(WORDS * size_of::<u64>()))?;
    words.resize(WORDS, 0);
    Ok(words.into_boxed_slice())
}

fn no_memory(bytes: usize) -> Failure {
    Failure::no_memory("the set of clusters", bytes)
}

fn word_of(index: u64) -> usize {
    in_memory(index / 64)
}

/// The first bit at or after `from` that is `wanted`.
fn find_bit(bits: &[u64], from: u64, wanted: bool) -> Option<u64> {
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
mod tests;
