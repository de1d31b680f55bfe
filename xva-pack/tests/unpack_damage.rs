//! Archives that were cut off or in which a bit is wrong: it is noticed, or it makes no difference.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod archive_builder;

use archive_builder::{Answer, Archive, BLOCK, data, unpack, unpack_file};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::fs;
use std::path::Path;

const SIZES: [(&str, usize); 2] = [("Ref:000", 4 * BLOCK), ("Ref:001", 2 * BLOCK + 512)];

/// An archive of two disks with gaps, the bytes of both, and where in it the metadata ends and the last block does.
struct Sound {
    archive: Vec<u8>,
    disks: [Vec<u8>; 2],
    data_begins: usize,
    data_ends: usize,
}

fn sound() -> Sound {
    let disks = SIZES.map(|(_, size)| {
        let mut disk = data(size as u64, size);
        disk[BLOCK..2 * BLOCK].fill(0);
        disk
    });
    let mut archive = Archive::with_ova(&SIZES);
    let data_begins = archive.0.len();
    for ((prefix, _), disk) in SIZES.iter().zip(&disks) {
        for (number, block) in disk.chunks(BLOCK).enumerate().filter(|(number, _)| *number != 1) {
            archive = archive.block(&format!("{prefix}/{number:08}"), block);
        }
    }
    let data_ends = archive.0.len();
    Sound { archive: archive.end(), disks, data_begins, data_ends }
}

fn file(folder: &Path, prefix: &str) -> Option<Vec<u8>> {
    fs::read(folder.join(format!("{prefix}.raw"))).ok()
}

/// Unpacks all disks of `archive` into a new folder.
fn unpack_all(archive: &[u8], more: &[&str]) -> (Answer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_str().unwrap().to_owned();
    (unpack(archive, &[&["--all", "-o", &target], more].concat()), folder)
}

#[test]
fn a_sound_archive_gives_its_disks_and_their_crc() {
    let sound = sound();
    let (answer, folder) = unpack_all(&sound.archive, &[]);
    assert_eq!((answer.status, answer.stderr.as_str()), (0, ""));
    let said = String::from_utf8(answer.stdout).unwrap();
    for ((prefix, _), disk) in SIZES.iter().zip(&sound.disks) {
        assert!(file(folder.path(), prefix).as_ref() == Some(disk), "{prefix}");
        let crc = format!("{:08x}  whole", crc32fast::hash(disk));
        assert!(said.lines().any(|line| line.starts_with(prefix) && line.contains(&crc)), "{crc}: {said}");
    }
}

#[test]
fn an_archive_that_was_cut_off_anywhere_is_not_whole() {
    let sound = sound();
    let begins = (0..sound.archive.len()).step_by(512);
    for length in begins.flat_map(|at| [at, at + 1, at + 16, at + 511]).filter(|at| *at < sound.archive.len())
    {
        let answer = unpack(&sound.archive[..length], &["--verify"]);
        let said = format!("cut at {length}: {}", answer.stderr);
        if length < sound.data_ends {
            assert_eq!(answer.status, 3, "{said}");
            assert!(
                ["ends early", "is empty", "has no block"].iter().any(|what| said.contains(what))
                    // Not even a header is there.
                    || length < 512 && said.contains("is not an XVA"),
                "{said}"
            );
        } else {
            assert_eq!(answer.status, 0, "{said}");
            assert!(said.contains("the end-of-tar is missing"), "{said}");
        }
    }
}

#[test]
fn what_came_before_the_cut_can_be_had_and_is_the_truth() {
    let sound = sound();
    let mut had_first_whole = 0;
    for length in (sound.data_begins..sound.data_ends).step_by(700) {
        let cut = &sound.archive[..length];
        let (answer, folder) = unpack_all(cut, &[]);
        assert_eq!(answer.status, 3);
        assert!(
            file(folder.path(), "Ref:001").is_none(),
            "cut at {length}: a disk that is not whole has its name"
        );
        let (answer, folder) = unpack_all(cut, &["--keep-going"]);
        assert_eq!(answer.status, 3);
        for ((prefix, _), truth) in SIZES.iter().zip(&sound.disks) {
            let Some(found) = file(folder.path(), prefix) else { continue };
            assert_eq!(found.len(), truth.len());
            // What did not come is zero, whole or part of a block.
            let had = found.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            assert!(found[..had] == truth[..had], "cut at {length}: {prefix} is wrong");
        }
        let whole = file(folder.path(), "Ref:000").is_some_and(|found| found == sound.disks[0]);
        let said = String::from_utf8(answer.stdout).unwrap();
        let first_is_whole =
            said.lines().any(|line| line.starts_with("Ref:000 ") && line.contains("  whole  "));
        assert!(!first_is_whole || whole, "cut at {length}");
        had_first_whole += u64::from(first_is_whole);
    }
    assert!(had_first_whole > 0, "the first disk was never whole: the cuts are too early");
}

#[test]
fn without_ova_xml_only_the_end_of_tar_says_that_all_is_there() {
    let sound = sound();
    let archive = &sound.archive[sound.data_begins..];
    let whole = archive.len();
    for length in (512..whole).step_by(512).chain([whole]) {
        for task in [&["--all"][..], &["--disk", "Ref:001"]] {
            let folder = tempfile::tempdir().unwrap();
            let output = folder.path().join("out");
            let arguments = [task, &["-o", output.to_str().unwrap()]].concat();
            let answer = unpack_file(folder.path(), &archive[..length], &arguments);
            assert_eq!(answer.status == 0, length == whole, "cut at {length}: {}", answer.stderr);
            let last = if task == ["--all"] { output.join("Ref:001.raw") } else { output };
            assert_eq!(last.exists(), length == whole, "cut at {length}");
        }
    }
}

/// A hundred positions, chosen at random but the same in every run, and every header's first byte.
#[test]
fn a_bit_that_is_wrong_is_found_or_is_padding() {
    let sound = sound();
    let headers = (0..sound.archive.len()).step_by(512).map(|at| (at, 0));
    let mut runner = TestRunner::deterministic();
    let random = (0..sound.archive.len(), 0..8_u8);
    let random: Vec<_> = (0..100).map(|_| random.new_tree(&mut runner).unwrap().current()).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut unnoticed = 0;
    for (at, bit) in headers.chain(random) {
        let mut archive = sound.archive.clone();
        archive[at] ^= 1 << bit;
        let answer = unpack_file(folder.path(), &archive, &["--verify"]);
        if answer.status != 0 {
            assert_eq!(answer.status, 3, "byte {at}: {}", answer.stderr);
            continue;
        }
        // It went through: then it is in the text of the metadata, which has no checksum, in padding or after the
        // last block, and every disk is what it was.
        unnoticed += 1;
        assert!(
            at < sound.data_begins || sound.archive[at] == 0,
            "byte {at} is neither metadata nor padding"
        );
        let (answer, unpacked) = unpack_all(&archive, &[]);
        assert_eq!(answer.status, 0, "byte {at}: {}", answer.stderr);
        for ((prefix, _), disk) in SIZES.iter().zip(&sound.disks) {
            assert!(file(unpacked.path(), prefix).as_ref() == Some(disk), "byte {at}: {prefix} is wrong");
        }
    }
    assert!(unnoticed > 0, "not one position was padding: the test flips too little");
}

#[test]
fn after_a_wrong_checksum_the_other_blocks_and_disks_can_be_had() {
    let mut sound = sound();
    let damaged = sound.data_begins + 512 + 100;
    sound.archive[damaged] ^= 0x10;
    let (answer, folder) = unpack_all(&sound.archive, &[]);
    assert_eq!(answer.status, 3);
    assert!(answer.stderr.contains("Ref:000/00000000.xxhash at byte"), "{}", answer.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let (answer, folder) = unpack_all(&sound.archive, &["--keep-going"]);
    assert_eq!(answer.status, 3);
    let said = String::from_utf8(answer.stdout).unwrap();
    assert!(said.contains("damaged  vm 0") && said.contains("whole    vm 1"), "{said}");
    assert!(file(folder.path(), "Ref:001").as_ref() == Some(&sound.disks[1]));
    let mut expected = sound.disks[0].clone();
    expected[100] ^= 0x10;
    assert!(file(folder.path(), "Ref:000") == Some(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_archive_ends_the_program_otherwise_than_with_a_sentence(
        noise in prop::collection::vec((0..20_000_usize, any::<u8>()), 0..6), cut in 0..20_000_usize, task in 0..3_usize,
    ) {
        let mut archive = sound().archive;
        for (at, byte) in noise {
            archive[at] = byte;
        }
        archive.truncate(cut.max(1));
        let answer = unpack(&archive, [&["--verify"][..], &["--list"], &["--disk", "Ref:000", "-o", "-"]][task]);
        prop_assert!([0, 2, 3, 4].contains(&answer.status), "{} {}", answer.status, answer.stderr);
        prop_assert!(answer.stderr.lines().count() <= 22 && !answer.stderr.contains("panicked"));
    }
}
