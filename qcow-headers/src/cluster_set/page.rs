//! A page of a set: 65 536 clusters that lie together, in whichever form is small.

use extents::extent::length::in_memory;

const PAGE_BITS: u32 = 1 << 16;
pub(super) const PAGE: u64 = PAGE_BITS as u64;
const WORDS: usize = (PAGE / 64) as usize;
/// Runs that a page has at most: with more, bits are faster, and in a page that fills up soon no larger.
const MAX_RUNS: usize = 128;
/// What the largest page takes, in bytes, and so by how much a budget may be passed.
pub(super) const LARGEST_PAGE: usize = WORDS * 8;

#[derive(Debug, Default)]
pub(super) enum Page {
    #[default]
    Empty,
    Full,
    /// Ascending, first and last inclusive, no two touch.
    Runs(Vec<(u16, u16)>),
    Bits(Box<Bits>),
}

#[derive(Debug)]
pub(super) struct Bits {
    words: [u64; WORDS],
    /// How many bits are clear.
    free: u32,
}

impl Page {
    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Page::Empty | Page::Full => 0,
            Page::Runs(runs) => runs.capacity() * 4 + 16,
            Page::Bits(_) => LARGEST_PAGE,
        }
    }

    /// The first cluster of the page from `from` on.
    pub(super) fn next_used(&self, from: u64) -> Option<u64> {
        match self {
            Page::Empty => None,
            Page::Full => Some(from),
            Page::Runs(runs) => {
                let next = runs.partition_point(|run| u64::from(run.1) < from);
                runs.get(next).map(|run| u64::from(run.0).max(from))
            }
            Page::Bits(bits) => bits.next_used(from),
        }
    }

    /// Adds the clusters `first..=last` of the page.
    pub(super) fn insert(&mut self, first: u64, last: u64) {
        match self {
            Page::Full => {}
            _ if first == 0 && last == PAGE - 1 => *self = Page::Full,
            Page::Empty => *self = Page::Runs(vec![(short(first), short(last))]),
            Page::Runs(runs) => {
                // Those that overlap or touch it become one with it.
                let from = runs.partition_point(|run| u64::from(run.1) + 1 < first);
                let until = runs.partition_point(|run| u64::from(run.0) <= last + 1);
                let (mut low, mut high) = (short(first), short(last));
                if from < until {
                    low = low.min(runs[from].0);
                    high = high.max(runs[until - 1].1);
                }
                runs.splice(from..until, [(low, high)]);
                if runs.len() > MAX_RUNS {
                    *self = Page::Bits(Bits::of(runs));
                } else if (low, high) == (0, u16::MAX) {
                    *self = Page::Full;
                }
            }
            Page::Bits(bits) => {
                bits.insert(first, last);
                if bits.free == 0 {
                    *self = Page::Full;
                }
            }
        }
    }
}

/// A place in a page.
fn short(place: u64) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

impl Bits {
    fn of(runs: &[(u16, u16)]) -> Box<Bits> {
        let mut bits = Box::new(Bits { words: [0; WORDS], free: PAGE_BITS });
        for (first, last) in runs {
            bits.insert(u64::from(*first), u64::from(*last));
        }
        bits
    }

    fn insert(&mut self, first: u64, last: u64) {
        let (low, high) = (in_memory(first / 64), in_memory(last / 64));
        for number in low..=high {
            let from = if number == low { first % 64 } else { 0 };
            let until = if number == high { last % 64 } else { 63 };
            let added = (u64::MAX >> (63 - until)) & (u64::MAX << from) & !self.words[number];
            self.words[number] |= added;
            self.free -= added.count_ones();
        }
    }

    fn next_used(&self, from: u64) -> Option<u64> {
        let start = in_memory(from / 64);
        let mut word = self.words[start] & (u64::MAX << (from % 64));
        let mut number = start;
        while word == 0 {
            number += 1;
            word = *self.words.get(number)?;
        }
        Some(number as u64 * 64 + u64::from(word.trailing_zeros()))
    }
}
