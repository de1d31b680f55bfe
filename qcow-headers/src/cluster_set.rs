//! Which clusters of a file are taken: exact, and small where they lie together, as they do in nearly every file. A file of
//! 64 TiB has 2^30 clusters of 64 KiB, and 128 MiB of bits would be too much for a filter.
//!
//! Clusters are numbered from the beginning of the file, and come in pages of 65 536. A page is nothing, full, some runs, or
//! bits, whichever is small; what goes on as it began is one run that no page has seen yet.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use extents::extent::length::in_memory;

use crate::cluster_set::page::{LARGEST_PAGE, PAGE, Page};

mod page;

/// Bytes that several sets may take together.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Rc<Cell<usize>>);

impl Budget {
    /// A budget of so many bytes; its clones are the same budget.
    pub(crate) fn new(bytes: usize) -> Self {
        Budget(Rc::new(Cell::new(bytes)))
    }

    fn allows(&self, bytes: usize) -> bool {
        self.0.get() >= bytes
    }

    fn exchange(&self, returned: usize, taken: usize) {
        self.0.set(self.0.get().saturating_add(returned).saturating_sub(taken));
    }
}

/// A set of clusters. What its budget does not allow for is left out: such a set has no cluster too many.
#[derive(Debug)]
pub(crate) struct ClusterSet {
    budget: Budget,
    pages: Vec<Page>,
    /// A run that is not in the pages yet.
    open: Range<u64>,
    /// From the end of `open` up to here the pages are known to be free.
    free_until: u64,
}

impl ClusterSet {
    pub(crate) fn new(budget: Budget) -> Self {
        ClusterSet { budget, pages: Vec::new(), open: 0..0, free_until: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.open.is_empty()
    }

    /// Adds `run` if none of it is in the set; otherwise fails with the first cluster that is.
    #[inline]
    pub(crate) fn claim(&mut self, run: Range<u64>) -> Result<(), u64> {
        if run.start == self.open.end && run.end <= self.free_until {
            self.open.end = run.end;
            return Ok(());
        }
        self.close();
        let used = self.next_used(&run);
        if used < run.end {
            return Err(used);
        }
        self.open = run;
        self.free_until = used;
        Ok(())
    }

    /// Adds `run`, whether or not some of it is in the set.
    pub(crate) fn add(&mut self, run: Range<u64>) {
        if run.start < self.open.start || run.start > self.open.end {
            self.close();
            self.open = run;
        } else {
            self.open.end = self.open.end.max(run.end);
        }
        // Nobody looked.
        self.free_until = self.open.end;
    }

    /// The first cluster of `run` that is in the set.
    pub(crate) fn first_of(&self, run: &Range<u64>) -> Option<u64> {
        let in_open = run.start.max(self.open.start);
        let in_open = (in_open < run.end.min(self.open.end)).then_some(in_open);
        let in_pages = Some(self.next_used(run)).filter(|used| *used < run.end);
        in_open.into_iter().chain(in_pages).min()
    }

    /// Moves the open run into the pages.
    fn close(&mut self) {
        let Range { mut start, end } = std::mem::take(&mut self.open);
        self.free_until = 0;
        while start < end && self.grow_to(start / PAGE) {
            let page_end = (start / PAGE + 1) * PAGE;
            let last = page_end.min(end) - 1;
            self.insert_in_page(in_memory(start / PAGE), start % PAGE, last % PAGE);
            start = last + 1;
        }
    }

    /// Whether there is a page `number` now.
    fn grow_to(&mut self, number: u64) -> bool {
        let missing = (number + 1).saturating_sub(self.pages.len() as u64);
        // While a vector grows it takes up to three times what it holds.
        let bytes = missing.saturating_mul(3 * size_of::<Page>() as u64);
        if !self.budget.allows(in_memory(bytes)) {
            return false;
        }
        self.budget.exchange(0, in_memory(bytes));
        self.pages.resize_with(self.pages.len() + in_memory(missing), Page::default);
        true
    }

    fn insert_in_page(&mut self, page: usize, first: u64, last: u64) {
        if let Some(page) = self.pages.get_mut(page)
            && (first == 0 && last == PAGE - 1 || self.budget.allows(LARGEST_PAGE))
        {
            let before = page.bytes();
            page.insert(first, last);
            self.budget.exchange(before, page.bytes());
        }
    }

    /// The first cluster of the pages from the start of `run` on, or where the search ended: not before the end of `run` nor of
    /// the page after it.
    fn next_used(&self, run: &Range<u64>) -> u64 {
        let limit = (run.end / PAGE + 1).saturating_mul(PAGE);
        let mut at = run.start;
        while at < limit && at / PAGE < self.pages.len() as u64 {
            if let Some(used) = self.pages[in_memory(at / PAGE)].next_used(at % PAGE) {
                return at / PAGE * PAGE + used;
            }
            at = (at / PAGE + 1) * PAGE;
        }
        limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set() -> ClusterSet {
        ClusterSet::new(Budget::new(1 << 20))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]
        /// The same as a set of numbers, whatever the order; pages become runs, bits, and full on the way.
        #[test]
        fn it_knows_what_was_added(
            runs in proptest::collection::vec((0..3 * PAGE, 1..200_u64, any::<bool>()), 1..2000),
            long in proptest::collection::vec((0..3 * PAGE, 1..2 * PAGE), 0..2),
            stride in 1..100_u64,
        ) {
            let (mut set, mut model) = (set(), BTreeSet::new());
            let strided = (0..1000).map(|step| (step * stride, 1, false));
            let long = long.into_iter().map(|(start, length)| (start, length, true));
            for (start, length, add) in runs.into_iter().chain(strided).chain(long) {
                let run = start..start + length;
                let there = model.range(run.clone()).next().copied();
                prop_assert_eq!(set.first_of(&run), there);
                if add {
                    set.add(run.clone());
                } else {
                    prop_assert_eq!(set.claim(run.clone()).err(), there);
                }
                if add || there.is_none() {
                    model.extend(run);
                }
            }
            for cluster in (0..5 * PAGE).step_by(3) {
                prop_assert_eq!(set.first_of(&(cluster..cluster + 1)).is_some(), model.contains(&cluster));
            }
        }
    }

    #[test]
    fn what_lies_together_takes_nothing_in_the_end_whatever_its_order() {
        let mut set = set();
        let all = set.budget.0.get();
        for step in [1, 2, 0] {
            for cluster in (0..8 * PAGE / 3).map(|number| number * 3 + step) {
                set.claim(cluster..cluster + 1).unwrap();
            }
        }
        set.close();
        assert!(all - set.budget.0.get() < 20_000, "{all} {}", set.budget.0.get());
        assert_eq!(set.claim(5..6), Err(5));
    }

    #[test]
    fn a_budget_that_is_spent_leaves_clusters_out_and_invents_none() {
        let budget = Budget::new(10 * LARGEST_PAGE);
        let (mut one, mut two) = (ClusterSet::new(budget.clone()), ClusterSet::new(budget.clone()));
        for cluster in (0..40 * PAGE).step_by(2) {
            for set in [&mut one, &mut two] {
                set.claim(cluster..cluster + 1).unwrap();
                assert_eq!(set.first_of(&(cluster + 1..cluster + 2)), None);
            }
        }
        let taken: usize = [&one, &two].into_iter().flat_map(|set| &set.pages).map(Page::bytes).sum();
        assert!(taken > 5 * LARGEST_PAGE && taken <= 11 * LARGEST_PAGE, "{taken}");
        assert_eq!((one.claim(0..1), two.claim(0..1)), (Err(0), Err(0)));
        assert_eq!(one.claim(39 * PAGE..39 * PAGE + 1), Ok(()));
        // A page that could not even be counted.
        one.add(1 << 60..1 << 61);
        one.add(7..8);
        assert_eq!(one.first_of(&(1 << 60..1 << 61)), None);
    }
}
