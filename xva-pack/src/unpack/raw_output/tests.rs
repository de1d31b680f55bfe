//! What stands where a disk was unpacked to, when it is whole and before.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::unpack::raw_output::RawOutput;

#[test]
fn a_file_is_sparse_and_has_its_name_only_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("d.raw");
    let mut truth = vec![0; 3 << 20];
    truth[1 << 20..(1 << 20) + 4096].fill(7);
    truth[(1 << 20) + 100_000..(1 << 20) + 110_000].fill(9);
    truth[(2 << 20) - 1] = 1;
    let mut output = RawOutput::open(&target, false).unwrap();
    output.write(1 << 20, &truth[1 << 20..2 << 20]).unwrap();
    assert!(!target.exists());
    output.finish(3 << 20).unwrap();
    assert!(std::fs::read(&target).unwrap() == truth);
    assert!(target.metadata().unwrap().blocks() * 512 <= 64 << 10);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = RawOutput::open(&folder.path().join("d.raw"), false).unwrap();
    output.write(0, b"abc").unwrap();
    drop(output);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn no_file_of_another_is_touched_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("d.raw.part");
    std::fs::write(&theirs, "theirs").unwrap();
    let target = folder.path().join("d.raw");
    RawOutput::open(&target, false).unwrap().finish(0).unwrap();
    assert_eq!(std::fs::read(&theirs).unwrap(), b"theirs");
    assert!(RawOutput::open(&target, false).unwrap_err().to_string().contains("--force"));
}

#[test]
fn of_two_runs_to_one_file_the_second_fails_or_replaces_all_of_it() {
    for force in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("d.raw");
        let mut first = RawOutput::open(&target, force).unwrap();
        let mut second = RawOutput::open(&target, force).unwrap();
        first.write(0, b"first").unwrap();
        second.write(0, b"second").unwrap();
        first.finish(5).unwrap();
        let done = second.finish(6);
        let expected = if force { &b"second"[..] } else { b"first" };
        assert_eq!(std::fs::read(&target).unwrap(), expected);
        assert_eq!(done.err().map(|failure| failure.status() as u8), (!force).then_some(1));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_file_has_the_mode_of_any_new_file_and_the_longest_name_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (target, other) = (folder.path().join("d".repeat(255)), folder.path().join("other"));
    RawOutput::open(&target, false).unwrap().finish(0).unwrap();
    std::fs::write(&other, "").unwrap();
    assert_eq!(target.metadata().unwrap().mode(), other.metadata().unwrap().mode());
    for bad in ["nowhere/", "nowhere/.", "nowhere/.."] {
        assert!(RawOutput::open(&folder.path().join(bad), false).is_err(), "{bad}");
    }
}

#[test]
fn gaps_of_a_stream_are_zeros_up_to_the_size_of_the_disk() {
    let (mut reader, writer) = io::pipe().unwrap();
    let path = PathBuf::from(format!("/dev/fd/{}", writer.as_raw_fd()));
    let mut output = RawOutput::open(&path, false).unwrap();
    drop(writer);
    output.write(1000, b"abc").unwrap();
    output.write(1003, b"d").unwrap();
    output.write(5000, b"e").unwrap();
    output.finish(6000).unwrap();
    let mut truth = vec![0; 6000];
    truth[1000..1004].copy_from_slice(b"abcd");
    truth[5000] = b'e';
    let mut found = Vec::new();
    reader.read_to_end(&mut found).unwrap();
    assert!(found == truth);
}
