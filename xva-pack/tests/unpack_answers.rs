//! What xva-unpack says about an archive: the table of its disks, where reading stopped and what came before, and how
//! many findings it shows.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod archive_builder;

use archive_builder::{Answer, Archive, BLOCK, data, unpack, unpack_file};
use std::fs;
use xva_pack::xva::checksum::Algorithm;

const A: &str = "Ref:000/00000000";
const B: &str = "Ref:000/00000001";
const C: &str = "Ref:000/00000002";

/// The row of the first disk, by its columns.
fn row(answer: &Answer) -> Vec<String> {
    let table = String::from_utf8(answer.stdout.clone()).unwrap();
    table.lines().nth(1).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn one() -> Archive {
    Archive::with_ova(&[("Ref:000", 3 * BLOCK)])
}

#[test]
fn the_table_counts_blocks_that_hold_bytes_and_names_the_checksums() {
    let (a, c) = (data(1, BLOCK), data(3, BLOCK));
    let sound = one().block(A, &a).block(C, &c);
    let keepalive = one().block(A, &a).block(B, b"").block(C, &a).block("Ref:000/00000003", &c);
    let mixed = one().block_by(A, &a, Algorithm::Sha1).block(C, &c);
    let unchecked = one().member(A, &a).member(B, &a).member(C, &c);
    let empty = Archive::with_ova(&[("Ref:000", 0)]);
    for (archive, expected) in [
        (sound, ["Ref:000", "12288", "2", "3", "66.6%", "xxhash"]),
        (keepalive, ["Ref:000", "12288", "3", "3", "100.0%", "xxhash"]),
        (mixed, ["Ref:000", "12288", "2", "3", "66.6%", "sha1+xxhash"]),
        (unchecked, ["Ref:000", "12288", "3", "3", "100.0%", "none"]),
        (empty, ["Ref:000", "0", "0", "0", "-", "-"]),
    ] {
        let archive = archive.end();
        let answer = unpack(&archive, &["--list"]);
        assert_eq!((answer.status, &row(&answer)[..6]), (0, &expected.map(str::to_owned)[..]));
        // A list says nothing of bytes that were not read.
        assert_eq!(row(&answer)[6..8], ["-", "unchecked"]);
    }
}

#[test]
fn a_list_of_a_file_that_was_cut_off_in_a_block_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let length = 128 << 10;
    let block = data(1, length);
    let metadata = Archive::with_ova(&[("Ref:000", 3 * length)]);
    let first = metadata.0.len();
    let archive = metadata.block(A, &block).block(B, &block).block(C, &block);
    let last = first + 2 * (512 + length + 1024);
    assert_eq!(unpack_file(folder.path(), &archive.0, &["--list"]).status, 0);
    for cut in [first + 512 + length - 1, last - 1, last + 1000, last + 512 + length - 1] {
        let answer = unpack_file(folder.path(), &archive.0[..cut], &["--list"]);
        assert_eq!(answer.status, 3, "cut at {cut}: {}", answer.stderr);
        assert!(answer.stderr.contains(&format!("at byte {cut}: ends early")), "{cut}: {}", answer.stderr);
    }
    // Bytes that were stepped over count, too.
    let stray = archive.clone().0[..last].to_vec();
    let stray = Archive(stray).member("stray", b"");
    let answer = unpack_file(folder.path(), &stray.end(), &["--list"]);
    assert!(answer.stderr.contains(&format!("stray at byte {last}: ")), "{}", answer.stderr);
}

#[test]
fn where_reading_ends_it_is_said_what_came_before() {
    let two = Archive::with_ova(&[("Ref:000", BLOCK), ("Ref:001", 3 * BLOCK)]);
    let (a, b) = (data(1, BLOCK), data(2, BLOCK));
    let cut = two.block(A, &a).block("Ref:001/00000000", &b).0;
    let byte = cut.len();
    let said = unpack(&cut, &["--verify"]).stderr;
    let expected = format!(
        "at byte {byte}: disk Ref:001 ends early: found 4096 bytes, expected 12288; disks that came whole: 1 of 2; \
         Ref:001 came up to byte 4096 of 12288; xva-unpack --keep-going takes what can be had"
    );
    assert!(said.trim_end().ends_with(&expected), "{said}");
    let said = unpack(&cut[..byte - 1], &["--verify", "--keep-going"]).stderr;
    assert!(said.contains("; disks that came whole: 1 of 2") && !said.contains("--keep-going"), "{said}");
    // Reading could go on here: nothing is lost.
    let refused = one().member(A, &a).block(C, &b).end();
    let said = unpack(&refused, &["--verify"]).stderr;
    assert!(said.contains("the block has no checksum") && !said.contains("came whole"), "{said}");
}

#[test]
fn of_many_findings_twenty_are_said_and_all_are_counted() {
    let archive = |wrong: usize| {
        let block = data(1, BLOCK);
        let all = Archive::with_ova(&[("Ref:000", 30 * BLOCK)]);
        let text = |number| {
            if number < wrong { "0000000000000000".to_owned() } else { Algorithm::Xxhash.text(&block) }
        };
        let all = (0..30).fold(all, |all, number| {
            let name = format!("Ref:000/{number:08}");
            all.member(&name, &block).checksum(&name, ".xxhash", &text(number))
        });
        all.end()
    };
    for (wrong, lines, counted) in
        [(1, 2, "1 fault,"), (20, 21, "20 faults"), (21, 22, "21 faults"), (30, 22, "30 faults")]
    {
        let answer = unpack(&archive(wrong), &["--verify", "--keep-going"]);
        let said: Vec<&str> = answer.stderr.lines().collect();
        assert_eq!((answer.status, said.len()), (3, lines), "{}", answer.stderr);
        assert!(said[lines - 1].contains(&format!("is damaged: found {counted}")), "{}", answer.stderr);
        let more = said.iter().filter(|line| line.contains("more of this kind is not shown")).count();
        assert_eq!(more, usize::from(wrong > 20), "{}", answer.stderr);
    }
}

#[test]
fn data_past_the_end_of_a_disk_is_damage_and_zeros_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("disk");
    let task = ["--disk", "Ref:000", "--force", "-o", output.to_str().unwrap()];
    for (tail, status, state) in [(0, 0, "whole"), (1, 3, "damaged")] {
        let mut last = data(2, BLOCK);
        last[512..].fill(0);
        last[BLOCK - 1] = tail;
        let archive =
            Archive::with_ova(&[("Ref:000", BLOCK + 512)]).block(A, &data(1, BLOCK)).block(B, &last).end();
        let answer = unpack(&archive, &[&task[..], &["--keep-going"]].concat());
        assert_eq!((answer.status, row(&answer)[7].as_str()), (status, state), "{}", answer.stderr);
        assert_eq!(fs::read(&output).unwrap(), [data(1, BLOCK), last[..512].to_vec()].concat());
    }
}

#[test]
fn a_size_is_that_of_the_disk_or_less_also_without_metadata() {
    let (a, c) = (data(1, BLOCK), data(3, BLOCK));
    for archive in [one(), Archive::default()] {
        let archive = archive.block(A, &a).block(C, &c).end();
        for (size, status) in [(12288, 0), (12289, 3)] {
            let answer = unpack(&archive, &["--verify", "--size", &format!("Ref:000={size}")]);
            assert_eq!(answer.status, status, "{}", answer.stderr);
            assert_eq!(
                answer.stderr.contains("is smaller than --size says"),
                status == 3,
                "{}",
                answer.stderr
            );
        }
        let answer = unpack(&archive, &["--disk", "Ref:9", "-o", "-"]);
        assert!(answer.stderr.contains("has no disk Ref:9: found Ref:000"), "{}", answer.stderr);
        assert_eq!(answer.status, 2);
    }
}

#[test]
fn an_archive_without_metadata_has_a_bound_of_disks() {
    let archive = |disks: usize| {
        let all =
            (0..disks).fold(Archive::default(), |all, n| all.block(&format!("{n:05}/00000000"), &[1; 512]));
        all.end()
    };
    assert_eq!(unpack(&archive(4096), &["--list"]).status, 0);
    let answer = unpack(&archive(4097), &["--list"]);
    assert_eq!(answer.status, 4);
    assert!(answer.stderr.contains("holds too many disks: expected at most 4096"), "{}", answer.stderr);
}
