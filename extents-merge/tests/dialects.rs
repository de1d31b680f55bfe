//! What each dialect says, and what is no answer in any of them.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;

use extents::document::document_writer::DocumentWriter;
use extents::document::union::Union;
use extents::failure::{Failure, Status};
use proptest::prelude::*;

fn read_at(unit_bits: u32, documents: &[&str]) -> Result<(u64, Vec<(u64, u64)>), Failure> {
    let mut documents = documents.iter().enumerate();
    let (_, first) = documents.next().unwrap();
    let mut union = Union::read(unit_bits, first.as_bytes(), Path::new("document 0"))?;
    for (number, document) in documents {
        union.add(document.as_bytes(), Path::new(&format!("document {number}")))?;
    }
    Ok((union.virtual_size(), union.data().runs().collect()))
}

fn runs(document: &str) -> Vec<(u64, u64)> {
    read_at(16, &[document]).unwrap().1
}

#[track_caller]
fn refused(status: Status, document: &str, words: &str) {
    let failure = read_at(16, &[document]).unwrap_err();
    assert_eq!(failure.status(), status, "{failure}");
    assert!(failure.to_string().contains(words), "{failure}");
}

#[test]
fn keys_come_in_any_order_and_unknown_ones_are_skipped() {
    let document = "\n{ \"data_clusters\" : [5, [1,2], 7, 4, [4,5]], \"note\": {\"a\": [1, {}]},\t\"cluster_bits\": 16, \
                    \"virtual_size\": 10485760 }\n";
    assert_eq!(read_at(16, &[document]).unwrap(), (10_485_760, vec![(1, 2), (4, 5), (7, 7)]));
}

#[test]
fn the_last_run_is_cut_at_the_end_of_the_disk() {
    let document = r#"{"virtual_size":100000,"cluster_bits":16,"data_clusters":[[1,18446744073709551615]]}"#;
    assert_eq!(runs(document), [(1, 1)]);
    assert_eq!(read_at(9, &[document]).unwrap().1, [(128, 195)]);
}

#[test]
fn a_document_must_be_whole_and_sound() {
    let head = r#"{"virtual_size":1048576,"cluster_bits":16,"data_clusters":"#;
    refused(Status::Damaged, "", "found nothing");
    refused(Status::Damaged, "  \n", "cut off");
    refused(Status::Damaged, &format!("{head}[[0,1],[3,"), "cut off");
    refused(Status::Damaged, &format!("{head}[]"), "cut off");
    refused(Status::Damaged, &format!("{head}[]}} x"), "trailing");
    refused(Status::Damaged, &format!("{head}[]}}{{}}"), "trailing");
    refused(Status::Damaged, &format!("{head}[[3,2]]}}"), "found [3,2]");
    refused(Status::Damaged, &format!("{head}[[16,16]]}}"), "found cluster 16, expected less than 16");
    refused(Status::Damaged, &format!("{head}[16]}}"), "past the disk");
    refused(Status::Damaged, &format!("{head}[18446744073709551616]}}"), "floating point");
    refused(Status::Damaged, &format!("{head}[-1]}}"), "-1");
    refused(Status::Damaged, &format!("{head}[[1]]}}"), "length 1");
    refused(Status::Damaged, &format!("{head}[[1,2,3]]}}"), "length 3");
    refused(Status::Damaged, &format!("{head}[\"1\"]}}"), "string");
    refused(Status::Damaged, &format!("{head}{{}}}}"), "array");
    refused(Status::Damaged, r#"{"virtual_size":1048576,"data_clusters":[]}"#, "cluster_bits");
    refused(Status::Damaged, r#"{"cluster_bits":16,"data_clusters":[]}"#, "virtual_size");
    refused(Status::Damaged, r#"{"virtual_size":1048576,"cluster_bits":16}"#, "data_clusters");
    refused(Status::Damaged, &format!("{head}[],\"virtual_size\":1048576}}"), "duplicate");
    refused(Status::Damaged, &format!("{head}[],\"data_clusters\":[0]}}"), "duplicate");
    refused(Status::Damaged, r#"{"virtual_size":1048576,"cluster_bits":63,"data_clusters":[]}"#, "found 63");
    refused(Status::Damaged, r#"{"virtual_size":-5,"cluster_bits":16,"data_clusters":[]}"#, "-5");
    refused(Status::Damaged, "conectix", "not a JSON document");
    refused(Status::Damaged, "\u{c}{}", "not a JSON document");
    refused(Status::Damaged, "\"a string\"", "expected an extents document");
}

#[test]
fn a_disk_with_too_many_units_is_refused_not_wrapped() {
    let document = r#"{"virtual_size":18446744073709551615,"cluster_bits":30,"data_clusters":[[0,1]]}"#;
    refused(Status::Unsupported, document, "too many units");
    assert_eq!(read_at(30, &[document]).unwrap().1, [(0, 1)]);
    let largest_unit = r#"{"virtual_size":18446744073709551615,"cluster_bits":62,"data_clusters":[3]}"#;
    assert_eq!(read_at(62, &[largest_unit]).unwrap().1, [(3, 3)]);
}

#[test]
fn documents_of_two_sizes_are_not_one_disk() {
    let of_size = |size| format!(r#"{{"virtual_size":{size},"cluster_bits":16,"data_clusters":[]}}"#);
    let failure = read_at(16, &[&of_size(1_048_576), &of_size(1_048_577)]).unwrap_err();
    assert_eq!(failure.status(), Status::Damaged);
    assert_eq!(
        failure.to_string(),
        "document 1: is about another disk: found virtual_size 1048577, expected 1048576 as in document 0"
    );
}

#[test]
fn qemu_img_map_is_data_unless_it_reads_as_zero() {
    let document = r#"[{ "start": 0, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "offset": 327680},
        { "start": 65536, "length": 65536, "depth": 0, "zero": true, "data": true, "offset": 0},
        { "start": 131072, "length": 65535, "depth": 0, "zero": false, "data": false},
        { "start": 196607, "length": 65537, "depth": 0, "zero": true, "data": false}]"#;
    assert_eq!(read_at(16, &[document]).unwrap(), (262_144, vec![(0, 0), (2, 2)]));
}

#[test]
fn nbdinfo_is_data_unless_the_zero_bit_is_set() {
    let document = r#"[{"offset":0,"length":65536,"type":0,"description":"data"},{"offset":65536,"length":1,"type":1},
        {"offset":65537,"length":131071,"type":3,"description":"hole,zero"},{"offset":196608,"length":65536,"type":2}]"#;
    assert_eq!(read_at(16, &[document]).unwrap(), (262_144, vec![(0, 1)]));
}

#[test]
fn nbd_maps_of_other_contexts_are_refused() {
    let map = |kind, description| {
        format!(r#"[{{"offset":0,"length":1048576,"type":{kind},"description":"{description}"}}]"#)
    };
    refused(Status::Damaged, &map(2, "backing depth 2"), "base:allocation");
    refused(Status::Damaged, &map(1, "local"), "base:allocation");
    refused(Status::Damaged, &map(4, "zero"), "found type 4");
    assert_eq!(runs(&map(1, "hole")), [(0, 15)]);
}

#[test]
fn scattered_clusters_do_not_take_all_memory() {
    let clusters: Vec<String> = (0..=65_536_u64).map(|page| (page << 16).to_string()).collect();
    let document = format!(
        r#"{{"virtual_size":{},"cluster_bits":9,"data_clusters":[{}]}}"#,
        1_u64 << 45,
        clusters.join(",")
    );
    assert_eq!(read_at(9, &[&document]).unwrap_err().status(), Status::Unsupported);
    assert_eq!(read_at(20, &[&document]).unwrap().1.len(), 65_537);
}

#[test]
fn entries_in_descending_order_with_gaps_take_no_longer() {
    let entries: Vec<String> = (0..60_000_u64)
        .rev()
        .chain(0..60_000)
        .enumerate()
        .map(|(number, at)| at * 1024 + if number < 60_000 { 0 } else { 512 })
        .map(|start| format!(r#"{{"start":{start},"length":512,"zero":true}}"#))
        .collect();
    assert_eq!(read_at(20, &[&format!("[{}]", entries.join(","))]).unwrap(), (60_000 * 1024, vec![]));
}

#[test]
fn map_entries_may_be_unsorted_and_overlap_but_leave_no_gap() {
    let entry = |start, length, zero| format!(r#"{{"start":{start},"length":{length},"zero":{zero}}}"#);
    let all = [entry(131_072, 65_536, true), entry(0, 70_000, true), entry(65_536, 70_000, false)];
    assert_eq!(runs(&format!("[{}]", all.join(","))), [(1, 2)]);
    refused(Status::Damaged, &format!("[{},{}]", all[0], all[1]), "no entry for byte 70000");
    refused(Status::Damaged, &format!("[{}]", all[0]), "no entry for byte 0");
    refused(Status::Damaged, &format!("[{}", all[1]), "cut off");
    refused(Status::Damaged, r#"[{"start":18446744073709551615,"length":2,"zero":true}]"#, "too long");
    refused(Status::Damaged, r#"[{"start":0,"start":0,"length":2,"zero":true}]"#, "duplicate");
    refused(Status::Damaged, r#"[{"offset":0,"length":2}]"#, "type");
    refused(Status::Damaged, "[3]", "entry");
    refused(Status::Damaged, r#"[{"start":null,"offset":0,"length":4096,"type":2}]"#, "null");
    refused(Status::Damaged, r#"[{"start":0,"length":4096,"zero":null}]"#, "null");
}

#[test]
fn keys_of_a_map_that_do_not_matter_here_may_hold_what_they_like() {
    for key in [r#""skip":-1"#, r#""compression":"lz4""#, r#""filename":7"#, r#""x":[[{}]],"x":1"#] {
        assert_eq!(runs(&format!(r#"[{{"start":0,"length":65536,"zero":false,{key}}}]"#)), [(0, 0)], "{key}");
    }
}

/// Runs of a disk of `clusters` clusters, in any order.
fn some_runs(clusters: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..clusters, 0..50_u64), 0..40).prop_map(move |runs| {
        runs.into_iter().map(|(first, more)| (first, (first + more).min(clusters - 1))).collect()
    })
}

fn document(size: u64, bits: u32, runs: &[(u64, u64)]) -> String {
    let runs: Vec<String> = runs.iter().map(|(first, last)| format!("[{first},{last}]")).collect();
    format!(r#"{{"virtual_size":{size},"cluster_bits":{bits},"data_clusters":[{}]}}"#, runs.join(","))
}

fn written(size: u64, bits: u32, list: bool, runs: &[(u64, u64)]) -> String {
    let mut out = Vec::new();
    let new = if list { DocumentWriter::list } else { DocumentWriter::intervals };
    let mut writer = new(&mut out, size, bits).unwrap();
    for &(first, last) in runs {
        writer.push(first, last).unwrap();
    }
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

const CLUSTERS: u64 = 1000;
const SIZE: u64 = (CLUSTERS << 12) - 77;

proptest! {
    #[test]
    fn union_is_commutative_and_idempotent(a in some_runs(CLUSTERS), b in some_runs(CLUSTERS)) {
        let (a, b) = (document(SIZE, 12, &a), document(SIZE, 12, &b));
        let union = read_at(12, &[&a, &b]).unwrap();
        prop_assert_eq!(&union, &read_at(12, &[&b, &a]).unwrap());
        prop_assert_eq!(&union, &read_at(12, &[&a, &b, &a, &b]).unwrap());
    }

    #[test]
    fn rescaling_never_loses_a_byte_and_never_adds_more_than_it_must(runs in some_runs(CLUSTERS), bits in 9..22_u32) {
        let (_, rescaled) = read_at(bits, &[&document(SIZE, 12, &runs)]).unwrap();
        let data = |byte: u64| runs.iter().any(|&(first, last)| (first..=last).contains(&(byte >> 12)));
        let units = SIZE.div_ceil(1 << bits);
        for unit in 0..units {
            // Whichever is finer, no sector is both in and out: looking at one byte a sector is enough.
            let end = ((unit + 1) << bits).min(SIZE);
            let holds_data = (unit << bits..end).step_by(512).any(data);
            let listed = rescaled.iter().any(|&(first, last)| (first..=last).contains(&unit));
            prop_assert_eq!(listed, holds_data, "unit {} of {} bits", unit, bits);
        }
    }

    #[test]
    fn finer_then_coarser_equals_coarser(runs in some_runs(CLUSTERS), finer in 9..13_u32, coarser in 13..24_u32) {
        let source = document(SIZE, 12, &runs);
        let (_, fine) = read_at(finer, &[&source]).unwrap();
        prop_assert_eq!(read_at(coarser, &[&source]), read_at(coarser, &[&document(SIZE, finer, &fine)]));
    }

    #[test]
    fn every_document_we_print_is_read_back_equal(runs in some_runs(CLUSTERS)) {
        let (_, runs) = read_at(12, &[&document(SIZE, 12, &runs)]).unwrap();
        for list in [false, true] {
            prop_assert_eq!(&read_at(12, &[&written(SIZE, 12, list, &runs)]).unwrap(), &(SIZE, runs.clone()));
        }
    }
}
