//! Sets against a model.

use crate::extent::unit_set::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn the_last_unit_of_all_can_be_held() {
    let mut set = UnitSet::new();
    set.insert(UnitSet::MAX_UNITS - 1, u64::MAX).unwrap();
    assert_eq!(set.runs().collect::<Vec<_>>(), [(UnitSet::MAX_UNITS - 1, UnitSet::MAX_UNITS - 1)]);
    set.insert(UnitSet::MAX_UNITS, u64::MAX).unwrap();
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
        set.insert(first, last).unwrap();
    }
    assert_eq!(set.runs().collect::<Vec<_>>(), runs);
    // From inside of a page that is full, and of one that is empty.
    assert_eq!(set.next_run(2 * PAGE_UNITS + 7), Some((2 * PAGE_UNITS + 7, 3 * PAGE_UNITS - 1)));
    assert_eq!(set.next_run(3 * PAGE_UNITS + 7), Some(runs[2]));
}

#[test]
fn a_disk_that_is_all_data_takes_no_bits_however_large_it_is_and_in_however_many_runs() {
    let mut set = UnitSet::new();
    set.insert(0, UnitSet::MAX_UNITS / 8).unwrap();
    assert_eq!(set.bit_pages, 1);
    assert_eq!(set.len(), UnitSet::MAX_UNITS / 8 + 1);
    let mut set = UnitSet::new();
    // A step that no page is a multiple of.
    for first in (0..4 * PAGE_UNITS).step_by(1000) {
        set.insert(first, first + 999).unwrap();
    }
    assert_eq!((set.bit_pages, set.next_run(0)), (1, Some((0, 262_999))));
}

#[test]
fn what_is_scattered_over_the_largest_xva_is_held_and_what_takes_more_than_32_mib_is_refused() {
    let mut set = UnitSet::new();
    let scattered = |set: &mut UnitSet, end: u64| {
        (0..end).step_by(in_memory(PAGE_UNITS) / 2).try_for_each(|unit| set.insert(unit, unit))
    };
    scattered(&mut set, 100_000_000).unwrap();
    assert_eq!(set.len(), 100_000_000_u64.div_ceil(PAGE_UNITS / 2));
    let most = UnitSet::MAX_BIT_PAGES as u64 * PAGE_UNITS;
    scattered(&mut set, most).unwrap();
    assert_eq!(scattered(&mut set, most + 1).unwrap_err().status() as u8, 4);
    // A page that becomes full makes room again.
    let mut set = UnitSet::new();
    scattered(&mut set, most).unwrap();
    set.insert(0, PAGE_UNITS - 1).unwrap();
    set.insert(most, most).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn it_is_a_set(runs in prop::collection::vec((0..140_000_u64, prop_oneof![0..200_u64, 0..70_000_u64]), 0..6)) {
        let mut set = UnitSet::new();
        let mut truth = BTreeSet::new();
        for (first, length) in runs {
            set.insert(first, first + length).unwrap();
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
