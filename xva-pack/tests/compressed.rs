//! Compressed archives: the answer is that of the archive itself, whoever compressed it, from a file and from a pipe; and what
//! is cut off, changed, swapped or lies is damage.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use archive_builder::{Answer, Archive, data, unpack, unpack_file};

mod archive_builder;

const BLOCK: usize = 1 << 20;

/// The end-of-tar.
const END: [u8; 1024] = [0; 1024];

fn block(number: usize) -> Vec<u8> {
    match number % 3 {
        0 => data(number as u64, BLOCK),
        1 => format!("block {number}\n").repeat(140_000).into_bytes()[..BLOCK].to_vec(),
        _ => [vec![0; 1000], data(number as u64, 5000), vec![0; BLOCK - 6000]].concat(),
    }
}

/// A machine with disks of so many blocks each.
fn machine(disks: &[usize]) -> Vec<u8> {
    let names: Vec<String> = (0..disks.len()).map(|disk| format!("Ref:{disk:03}")).collect();
    let sizes: Vec<(&str, usize)> =
        names.iter().zip(disks).map(|(name, n)| (name.as_str(), n * BLOCK)).collect();
    let mut archive = Archive::with_ova(&sizes);
    for (name, blocks) in names.iter().zip(disks) {
        for number in 0..*blocks {
            archive = archive.block(&format!("{name}/{number:08}"), &block(number + name.len()));
        }
    }
    archive.end()
}

/// What xva-zstd makes of an archive.
fn framed(archive: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xva-zstd"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let archive = archive.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&archive).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Frames of the output of xva-zstd, with the skippable one, found by their magics (which stand nowhere else in it).
fn frames(framed: &[u8]) -> Vec<Vec<u8>> {
    let is_magic =
        |at: &usize| matches!(framed[*at..], [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x5e, 0x2a, 0x4d, 0x18, ..]);
    let mut begins: Vec<usize> = (0..framed.len()).filter(is_magic).collect();
    begins.push(framed.len());
    begins.windows(2).map(|ends| framed[ends[0]..ends[1]].to_vec()).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd_all(data: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(data, 1).unwrap()
}

/// What is said of a compressed archive in a pipe and in a file, in which it has another name.
fn answers(folder: &Path, archive: &[u8], arguments: &[&str]) -> [Answer; 2] {
    [unpack(archive, arguments), unpack_file(folder, archive, arguments)]
}

#[test]
fn a_compressed_archive_has_the_answer_of_the_archive_itself() {
    let folder = tempfile::tempdir().unwrap();
    let archive = machine(&[3, 5, 2]);
    let (first, second) = archive.split_at(archive.len() / 3);
    let skippable = b"\x53\x2a\x4d\x18\x03\0\0\0abc";
    let framed = framed(&archive, &[]);
    let one = unpack(&archive, &["--verify"]);
    assert_eq!(one.status, 0, "{}", one.stderr);
    let table = |answer: &Answer| {
        let text = String::from_utf8(answer.stdout.clone()).unwrap();
        text.lines().filter(|line| !line.contains(": sound: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    for (what, compressed) in [
        ("frames", framed.clone()),
        ("one frame", zstd_all(&archive)),
        ("one frame that says its size", zstd::bulk::compress(&archive, 1).unwrap()),
        ("two frames", [zstd_all(first), zstd_all(second)].concat()),
        (
            "empty frames",
            [zstd_all(b""), zstd::bulk::compress(b"", 1).unwrap(), zstd_all(&archive), zstd_all(b"")]
                .concat(),
        ),
        ("skippable frames", [&zstd_all(first)[..], skippable, &zstd_all(second), skippable].concat()),
        (
            "frames of 1000 bytes",
            archive.chunks(1000).flat_map(|part| zstd::bulk::compress(part, 1).unwrap()).collect(),
        ),
        ("gzip", gzip(&archive)),
        ("two members", [gzip(first), gzip(second)].concat()),
        ("gzip on a tape", [gzip(&archive), vec![0; 5000]].concat()),
    ] {
        for answer in answers(folder.path(), &compressed, &["--verify"]) {
            assert_eq!((answer.status, answer.stderr.as_str()), (0, ""), "{what}");
            assert_eq!(table(&answer), table(&one), "{what}");
        }
    }
    // xapi would not know what this is.
    for answer in answers(folder.path(), &[skippable, &framed[..]].concat(), &[]) {
        assert_eq!(answer.status, 0);
        assert!(answer.stderr.contains("xapi takes it for gzip"), "{}", answer.stderr);
    }
}

#[test]
fn each_disk_comes_out_of_a_framed_archive_as_out_of_a_plain_one() {
    let folder = tempfile::tempdir().unwrap();
    let archive = machine(&[70, 3, 130]);
    let framed = framed(&archive, &["-1"]);
    for disk in ["Ref:000", "Ref:001", "Ref:002"] {
        let plain = unpack(&archive, &["--disk", disk, "-o", "-"]);
        assert_eq!(plain.status, 0);
        for answer in answers(folder.path(), &framed, &["--disk", disk, "-o", "-"]) {
            assert_eq!(answer.status, 0, "{disk} {}", answer.stderr);
            assert!(answer.stdout == plain.stdout, "{disk}");
        }
    }
}

#[test]
fn what_is_not_whole_or_not_in_order_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let sound = framed(&machine(&[2, 4]), &[]);
    let frames = frames(&sound);
    assert_eq!(frames.len(), 9);
    assert_eq!(answers(folder.path(), &sound, &[]).map(|answer| answer.status), [0, 0]);
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut frames = frames.clone();
        change(&mut frames);
        frames.concat()
    };
    let other = framed(&machine(&[3, 3]), &[]);
    let other_table = self::frames(&other).pop().unwrap();
    let claims_much =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1_u64 << 60).to_le_bytes(), &[1, 0, 0]].concat();
    let claims_more =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x58][..], &(1_u64 << 60).to_le_bytes(), &[1, 0, 0]].concat();
    let mut damaged: Vec<(String, Vec<u8>)> = vec![
        ("swapped".to_owned(), with(&|frames| frames.swap(3, 4))),
        ("disks swapped".to_owned(), with(&|frames| frames.swap(2, 3))),
        ("a frame twice".to_owned(), with(&|frames| frames[3] = frames[4].clone())),
        ("left out".to_owned(), with(&|frames| drop(frames.remove(4)))),
        ("the table of another".to_owned(), with(&|frames| frames[8].clone_from(&other_table))),
        ("a wrong entry".to_owned(), with(&|frames| frames[8][20] ^= 1)),
        ("an entry too few".to_owned(), with(&|frames| frames.insert(1, zstd_all(b"")))),
        ("a cut table".to_owned(), sound[..sound.len() - 1].to_vec()),
        ("garbage at the end".to_owned(), [&sound[..], b"x"].concat()),
        ("zeros at the end".to_owned(), [&sound[..], &[0; 512]].concat()),
        ("2^60 bytes".to_owned(), with(&|frames| frames[3].clone_from(&claims_much))),
        ("2^60 bytes in a small window".to_owned(), with(&|frames| frames[3].clone_from(&claims_more))),
        ("gzip, then garbage".to_owned(), [&gzip(&machine(&[1]))[..], b"x"].concat()),
        ("gzip, cut off".to_owned(), gzip(&machine(&[1]))[..5000].to_vec()),
        ("gzip, wrong checksum".to_owned(), {
            let mut all = gzip(&machine(&[1]));
            let at = all.len() - 8;
            all[at] ^= 1;
            all
        }),
    ];
    for (number, frame) in frames.iter().enumerate().take(8) {
        for at in [4, 9, frame.len() / 2, frame.len() - 1] {
            damaged.push((format!("frame {number}, byte {at}"), with(&|frames| frames[number][at] ^= 8)));
        }
        damaged.push((
            format!("cut off in frame {number}"),
            [frames[..number].concat(), frame[..frame.len() / 2].to_vec()].concat(),
        ));
    }
    for (what, bytes) in damaged {
        for (answer, how) in answers(folder.path(), &bytes, &["--verify"]).into_iter().zip(["pipe", "file"]) {
            assert_eq!(answer.status, 3, "{what}, {how}: {}", answer.stderr);
            assert_eq!(answer.stderr.lines().count(), 1, "{what}: {}", answer.stderr);
        }
    }
}

/// Frames do not depend on each other, and a block has its number in its name.
#[test]
fn whoever_keeps_going_gets_what_is_in_the_frames_after_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let sound = framed(&machine(&[3, 4]), &[]);
    // The metadata, three blocks and four, the end-of-tar, and the seek table.
    let frames = frames(&sound);
    assert_eq!(frames.len(), 10);
    for (lost, is_whole) in [
        (&[2][..], [false, true]),
        (&[3], [false, true]),
        (&[4], [true, false]),
        (&[5, 6], [true, false]),
        (&[1, 7], [false, false]),
        // The metadata: what the disks hold is known without.
        (&[0], [true, true]),
        (&[0, 1], [false, true]),
    ] {
        let mut frames = frames.clone();
        for &frame in lost {
            // The checksum of the frame.
            *frames[frame].last_mut().unwrap() ^= 1;
        }
        let to = folder.path().join("all");
        let arguments = ["--all", "--force", "--keep-going", "-o", to.to_str().unwrap()];
        for is_pipe in [true, false] {
            let answer = if is_pipe {
                unpack(&frames.concat(), &arguments)
            } else {
                unpack_file(folder.path(), &frames.concat(), &arguments)
            };
            assert_eq!(answer.status, 3, "{lost:?} {}", answer.stderr);
            let said = answer.stderr.lines().filter(|line| line.contains("the zstd frame at byte")).count();
            assert_eq!(said, lost.len(), "{lost:?} {}", answer.stderr);
            let table = String::from_utf8(answer.stdout).unwrap();
            for (disk, first, blocks) in [(0, 1, 3), (1, 4, 4)] {
                let truth: Vec<u8> = (0..blocks)
                    .flat_map(|n| if lost.contains(&(first + n)) { vec![0; BLOCK] } else { block(n + 7) })
                    .collect();
                let found = std::fs::read(to.join(format!("Ref:{disk:03}.raw"))).unwrap();
                assert!(found == truth, "{lost:?} {disk} {}", answer.stderr);
                let row = table.lines().find(|row| row.starts_with(&format!("Ref:{disk:03}"))).unwrap();
                let state = if is_whole[disk] { "whole" } else { "damaged" };
                assert!(row.split_whitespace().any(|cell| cell == state), "{lost:?} {table}");
            }
            std::fs::remove_dir_all(&to).unwrap();
        }
        for task in ["--verify", "--list"] {
            for answer in answers(folder.path(), &frames.concat(), &["--keep-going", task]) {
                assert_eq!(answer.status, 3, "{task} {lost:?} {}", answer.stderr);
            }
            // Whoever does not, gets nothing of it.
            let arguments = ["--all", "--force", "-o", to.to_str().unwrap()];
            for answer in answers(folder.path(), &frames.concat(), &arguments) {
                assert_eq!(answer.status, 3, "{lost:?}");
                assert!(!to.join("Ref:001.raw").exists(), "{lost:?}");
                let _ = std::fs::remove_dir_all(&to);
            }
        }
    }
}

#[test]
fn a_large_window_is_refused_and_one_of_128_mib_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let archive = machine(&[1]);
    // A frame whose header asks for this window, with the archive as raw blocks.
    let with_window = |exponent: u8| {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3];
        let count = archive.chunks(100_000).count();
        for (number, part) in archive.chunks(100_000).enumerate() {
            let header = u32::try_from(part.len()).unwrap() << 3 | u32::from(number + 1 == count);
            frame.extend(&header.to_le_bytes()[..3]);
            frame.extend(part);
        }
        frame
    };
    assert_eq!(answers(folder.path(), &with_window(27), &[]).map(|answer| answer.status), [0, 0]);
    for answer in answers(folder.path(), &with_window(28), &[]) {
        assert_eq!(answer.status, 4);
        assert!(
            answer.stderr.contains("needs a window of 268435456 bytes, expected at most 134217728"),
            "{}",
            answer.stderr
        );
    }
}

/// As a pipe leaves it behind whose first program failed.
#[test]
fn what_holds_nothing_is_empty_and_not_compressed_twice() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, format) in [(zstd_all(b""), "zstd"), (gzip(b""), "gzip")] {
        for suffix in ["xva.zst", "xva.gz", "xva"] {
            let file = folder.path().join(format!("empty.{suffix}"));
            std::fs::write(&file, &bytes).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_xva-unpack")).arg(&file).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{said}");
            let sentence = format!("is empty, inside the {format} file: expected an archive\n");
            assert!(said.ends_with(&sentence), "{said}");
        }
    }
}

#[test]
fn what_follows_the_end_is_read_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let archive = machine(&[1]);
    let bomb = zstd_all(&vec![0; 65 << 20]);
    assert!(bomb.len() < 10_000);
    for answer in answers(folder.path(), &[zstd_all(&archive), bomb].concat(), &[]) {
        assert_eq!(answer.status, 3, "{}", answer.stderr);
    }
    for answer in answers(folder.path(), &zstd_all(&[&archive[..], &END, &[0; 10_000]].concat()), &[]) {
        assert_eq!(answer.status, 0, "{}", answer.stderr);
    }
}

#[test]
fn a_frame_depends_on_its_block_alone_and_the_whole_on_the_archive() {
    let archive = machine(&[9, 4]);
    let framed = framed(&archive, &["--jobs", "1"]);
    for jobs in ["2", "5", "16"] {
        assert!(self::framed(&archive, &["--jobs", jobs]) == framed, "{jobs}");
    }
    // Block 4 of the first disk is another.
    let changed = {
        let mut other = archive.clone();
        let at = other.windows(16).position(|name| name.starts_with(b"Ref:000/00000004")).unwrap();
        other[at + 512 + 77] ^= 1;
        other
    };
    let (old, new) = (frames(&framed), frames(&self::framed(&changed, &["--jobs", "3"])));
    assert_eq!(old.len(), new.len());
    let differ: Vec<usize> = (0..old.len() - 1).filter(|&at| old[at] != new[at]).collect();
    assert_eq!(differ, [5]);
    for level in ["-1", "-9", "-19"] {
        let small = machine(&[2]);
        assert_eq!(zstd::stream::decode_all(&self::framed(&small, &[level])[..]).unwrap(), small);
    }
}
