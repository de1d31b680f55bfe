//! Archives that prove by what is in them that a block is missing, or stands where no importer looks: no task of
//! xva-unpack ends with status 0, whatever it is about, and no output passes for a whole disk.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod archive_builder;

use archive_builder::{Answer, Archive, BLOCK, data, ova, unpack, unpack_file, ustar};
use std::path::Path;
use xva_pack::xva::checksum::Algorithm;

const NAMES: [&str; 4] = ["Ref:1/00000000", "Ref:1/00000001", "Ref:1/00000002", "Ref:1/00000003"];

fn disk(number: u64) -> Vec<u8> {
    data(number + 1, BLOCK)
}

/// Blocks of the disk `Ref:1`, by their numbers, after what is there.
fn blocks(archive: Archive, numbers: &[u64]) -> Archive {
    numbers
        .iter()
        .fold(archive, |archive, &number| archive.block(&format!("Ref:1/{number:08}"), &disk(number)))
}

fn with_ova() -> Archive {
    Archive::with_ova(&[("Ref:1", 4 * BLOCK)])
}

/// The checksum of block `number` without the block.
fn orphan(archive: Archive, number: u64, suffix: &str) -> Archive {
    let text = Algorithm::Xxhash.text(&disk(number));
    archive.checksum(&format!("Ref:1/{number:08}"), suffix, &text)
}

/// Runs every task over the archive, in a file and in a pipe.
fn all_tasks(folder: &Path, archive: &[u8], more: &[&str]) -> Vec<(String, Answer)> {
    let (one, all) = (folder.join("one.raw"), folder.join("all"));
    let (one, all) = (one.to_str().unwrap(), all.to_str().unwrap());
    let tasks: [&[&str]; 6] = [
        &["--list"],
        &["--verify"],
        &[],
        &["--disk", "Ref:1", "-o", one],
        &["--disk", "Ref:1", "-o", "-"],
        &["--all", "-o", all],
    ];
    let mut answers = Vec::new();
    for task in tasks {
        let is_file = task.contains(&"-o") && !task.contains(&"-");
        let force: &[&str] = if is_file { &["--force"] } else { &[] };
        let arguments = [&["-q"], task, force, more].concat();
        answers.push((format!("{arguments:?} of a pipe"), unpack(archive, &arguments)));
        answers.push((format!("{arguments:?} of a file"), unpack_file(folder, archive, &arguments)));
    }
    answers
}

#[rustfmt::skip]
fn losses() -> Vec<(&'static str, Archive)> {
    let after_the_end = |archive: Archive| archive.raw(&[0; 1024]);
    let link = |archive: Archive, name| archive.member_with(name, b"", |header| ustar(header, b'2'));
    vec![
        ("a checksum without its block", blocks(orphan(blocks(with_ova(), &[0]), 1, ".xxhash"), &[2, 3])),
        ("the first block is gone and its checksum is there", blocks(orphan(with_ova(), 0, ".xxhash"), &[1, 2, 3])),
        ("a checksum of an unknown kind without its block", blocks(orphan(blocks(with_ova(), &[0]), 1, ".md5"), &[2, 3])),
        ("the same without ova.xml", blocks(orphan(blocks(Archive::default(), &[0]), 1, ".xxhash"), &[2, 3])),
        ("a checksum after the last block, without ova.xml", orphan(blocks(Archive::default(), &[0, 1]), 2, ".xxhash")),
        ("no checksum has its block but one that has none", orphan(with_ova().member(NAMES[0], &disk(0)).member(NAMES[1], &disk(1)), 2, ".xxhash").member(NAMES[3], &disk(3))),
        ("a checksum that comes twice stands for no other", blocks(orphan(blocks(with_ova(), &[0, 1]), 1, ".xxhash").member(NAMES[2], &disk(2)), &[3])),
        ("a checksum that comes late and twice stands for no other", {
            let two = blocks(with_ova(), &[0]).member(NAMES[1], &disk(1)).member(NAMES[2], &disk(2));
            blocks(orphan(orphan(two, 1, ".xxhash"), 1, ".checksum"), &[3])
        }),
        ("a checksum of an unknown kind stands for no other", blocks(orphan(blocks(with_ova(), &[0, 1]).member(NAMES[2], &disk(2)), 2, ".md5"), &[3])),
        ("a link is no checksum", blocks(link(blocks(with_ova(), &[0, 1]).member(NAMES[2], &disk(2)), "Ref:1/00000002.xxhash"), &[3])),
        ("blocks after the last one", blocks(with_ova(), &[0, 3, 1, 2])),
        ("blocks after the last one, whose checksum is gone", blocks(blocks(with_ova(), &[0]).member(NAMES[3], &disk(3)), &[1, 2])),
        ("the last block twice", blocks(with_ova(), &[0, 1, 2, 3, 3])),
        ("a checksum after the last block", orphan(blocks(with_ova(), &[0, 1, 3]), 2, ".xxhash")),
        ("a block past the end", blocks(with_ova(), &[0, 1, 2, 3, 4])),
        ("blocks out of order", blocks(with_ova(), &[0, 2, 1, 3])),
        ("blocks out of order without ova.xml", blocks(Archive::default(), &[0, 2, 1, 3])),
        ("the last block is gone", blocks(with_ova(), &[0, 1, 2])),
        ("a block is a link", blocks(link(blocks(with_ova(), &[0]), NAMES[1]), &[2, 3])),
        ("a block under the name of another disk", blocks(blocks(with_ova(), &[0]).block("Ref:9/00000001", &disk(1)), &[2, 3])),
        ("the first block under the name of another disk", blocks(with_ova().block("Ref:01/00000000", &disk(0)), &[1, 2, 3])),
        ("a block under the name of another disk, without ova.xml", blocks(blocks(Archive::default(), &[0]).block("Ref:9/00000001", &disk(1)), &[2, 3])),
        ("a block under the name of a disk that has none in the archive", {
            let text = String::from_utf8(ova(&[("Ref:0", BLOCK * 2), ("Ref:1", 4 * BLOCK)])).unwrap();
            let text = text.replacen("<value>VBD</value>", "<value>unknown</value>", 1);
            blocks(Archive::default().member("ova.xml", text.as_bytes()).block("Ref:0/00000000", &disk(0)), &[1, 2, 3])
        }),
        ("an end-of-tar inside of the disk", blocks(after_the_end(blocks(with_ova(), &[0, 1])), &[2, 3])),
        ("an end-of-tar inside of the disk, without ova.xml", blocks(after_the_end(blocks(Archive::default(), &[0, 1])), &[2, 3])),
        ("a checksum after the end-of-tar, without ova.xml", orphan(after_the_end(blocks(Archive::default(), &[0, 1])), 2, ".xxhash")),
        ("the archive twice", blocks(after_the_end(blocks(with_ova(), &[0, 1, 2, 3])).member("ova.xml", &ova(&[("Ref:1", 4 * BLOCK)])), &[0, 1, 2, 3])),
        ("a block after an end-of-tar, zeros and junk", blocks(blocks(Archive::default(), &[0, 1]).raw(&[0; 10_240]).raw(&[7; 700]).raw(&[0; 324]), &[2])),
        ("an ova.xml that comes last shows that the last block is gone", blocks(Archive::default(), &[0, 1, 2]).member("ova.xml", &ova(&[("Ref:1", 4 * BLOCK)]))),
        ("an ova.xml that comes last shows that the last block of the first disk is gone", blocks(Archive::default(), &[0, 1, 2]).block("Ref:2/00000000", &disk(0)).member("ova.xml", &ova(&[("Ref:1", 4 * BLOCK), ("Ref:2", BLOCK)]))),
        ("an ova.xml that comes last does not know a disk", blocks(Archive::default().block("Ref:01/00000000", &disk(0)), &[1, 2]).member("ova.xml", &ova(&[("Ref:1", 3 * BLOCK)]))),
        ("a checksum under the name of another disk", blocks(blocks(with_ova(), &[0]).checksum("Ref:9/00000001", ".xxhash", "0000000000000000"), &[2, 3])),
        ("an ova.xml that comes last shows a disk that is gone", blocks(Archive::default(), &[0, 1, 2]).member("ova.xml", &ova(&[("Ref:1", 3 * BLOCK), ("Ref:2", BLOCK)]))),
    ]
}

#[test]
fn what_proves_a_loss_is_status_3_in_every_task() {
    let mut wrong = Vec::new();
    for (name, archive) in losses() {
        let archive = archive.end();
        let folder = tempfile::tempdir().unwrap();
        let is_about_another = name.ends_with("shows a disk that is gone");
        for (task, answer) in all_tasks(folder.path(), &archive, &[]) {
            let expected = if is_about_another && task.contains("--disk") { 0 } else { 3 };
            if answer.status != expected {
                wrong.push(format!("{name}: {task}: {} {}", answer.status, answer.stderr));
            }
        }
        if folder.path().join("one.raw").exists() && !is_about_another {
            wrong.push(format!("{name}: the disk has its name"));
        }
        for (task, answer) in all_tasks(folder.path(), &archive, &["--keep-going"]) {
            let expected = if is_about_another && task.contains("--disk") { 0 } else { 3 };
            if answer.status != expected {
                wrong.push(format!("{name}: {task}: {} {}", answer.status, answer.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn after_a_proof_of_loss_what_came_can_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("all");
    for (name, archive, expected) in [
        ("an orphan", blocks(orphan(blocks(with_ova(), &[0]), 1, ".xxhash"), &[2, 3]), [1, 0, 1, 1]),
        ("blocks after the end-of-tar", blocks(blocks(with_ova(), &[0, 1]).raw(&[0; 1024]), &[2, 3]), [1; 4]),
        ("blocks after the last", blocks(with_ova(), &[0, 3, 1, 2]), [1, 0, 0, 1]),
        ("a foreign block", blocks(with_ova().block("Ref:01/00000000", &disk(0)), &[1, 2, 3]), [0, 1, 1, 1]),
    ] {
        let to = target.to_str().unwrap();
        let answer = unpack(&archive.end(), &["--all", "--force", "--keep-going", "-o", to]);
        assert_eq!(answer.status, 3, "{name}: {}", answer.stderr);
        let truth: Vec<u8> = (0..4_u64)
            .zip(expected)
            .flat_map(|(number, is_there)| if is_there == 1 { disk(number) } else { vec![0; BLOCK] })
            .collect();
        assert!(std::fs::read(target.join("Ref:1.raw")).unwrap() == truth, "{name}: {}", answer.stderr);
    }
    // A disk after the end-of-tar, too.
    let two = blocks(Archive::default(), &[0]).raw(&[0; 1024]).block("Ref:2/00000000", &disk(7));
    let to = target.to_str().unwrap();
    let answer = unpack(&two.end(), &["--all", "--force", "--keep-going", "-o", to]);
    assert_eq!(answer.status, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("stands after an end-of-tar"), "{}", answer.stderr);
    assert!(std::fs::read(target.join("Ref:2.raw")).unwrap() == disk(7));
}

#[test]
fn a_loss_in_another_disk_is_none_of_the_one_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let two = || blocks(Archive::with_ova(&[("Ref:1", 4 * BLOCK), ("Ref:2", 2 * BLOCK)]), &[0, 1, 2, 3]);
    let block = disk(9);
    let text = Algorithm::Xxhash.text(&block);
    let cut = {
        let mut archive = two().block("Ref:2/00000000", &block).0;
        archive.truncate(archive.len() - 700);
        archive
    };
    for (name, archive) in [
        (
            "an orphan of another",
            two().checksum("Ref:2/00000000", ".xxhash", &text).block("Ref:2/00000001", &block).end(),
        ),
        ("another is not whole", two().block("Ref:2/00000000", &block).end()),
        ("another stands after the end-of-tar", two().raw(&[0; 1024]).block("Ref:2/00000000", &block).end()),
        ("another is cut off", cut),
        (
            "an unknown one follows",
            two().block("Ref:2/00000001", &block).block("Ref:3/00000000", &block).end(),
        ),
        ("no ova.xml, another that comes twice", {
            let one = blocks(Archive::default(), &[0, 1, 2, 3]);
            one.block("Ref:2/00000000", &block)
                .block("Ref:3/00000000", &block)
                .block("Ref:2/00000001", &block)
                .end()
        }),
    ] {
        let arguments = ["-q", "--disk", "Ref:1", "-o", "-"];
        for answer in [unpack(&archive, &arguments), unpack_file(folder.path(), &archive, &arguments)] {
            let truth: Vec<u8> = (0..4).flat_map(disk).collect();
            assert_eq!(answer.status, 0, "{name}: {}", answer.stderr);
            assert!(answer.stdout == truth && answer.stderr.is_empty(), "{name}: {}", answer.stderr);
        }
    }
}

#[test]
fn what_is_only_in_another_order_or_twice_is_no_loss() {
    let text = |number| Algorithm::Xxhash.text(&disk(number));
    let sha1 = |number| Algorithm::Sha1.text(&disk(number));
    let later = with_ova().member(NAMES[0], &disk(0)).member(NAMES[1], &disk(1)).checksum(
        NAMES[0],
        ".xxhash",
        &text(0),
    );
    let later = blocks(later.checksum(NAMES[1], ".xxhash", &text(1)), &[2, 3]);
    let both = blocks(blocks(with_ova(), &[0, 1]).checksum(NAMES[1], ".checksum", &sha1(1)), &[2, 3]);
    let aside = blocks(with_ova(), &[0, 1]).member(NAMES[2], &disk(2)).member("notes", b"x");
    let aside = blocks(aside.checksum(NAMES[2], ".xxhash", &text(2)), &[3]);
    let truth: Vec<u8> = (0..4).flat_map(disk).collect();
    for (name, archive) in
        [("checksums after two blocks", later), ("two checksums", both), ("a member between", aside)]
    {
        let answer = unpack(&archive.end(), &["--disk", "Ref:1", "-o", "-"]);
        assert_eq!(answer.status, 0, "{name}: {}", answer.stderr);
        assert!(
            answer.stdout == truth && answer.stderr.contains("xapi refuses it"),
            "{name}: {}",
            answer.stderr
        );
    }
    let wrong = blocks(with_ova(), &[0, 1]).checksum(NAMES[1], ".checksum", &sha1(2));
    let answer = unpack(&blocks(wrong, &[2, 3]).end(), &["--disk", "Ref:1", "-o", "-"]);
    assert_eq!(answer.status, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("the checksum is not that of the block"), "{}", answer.stderr);
}
