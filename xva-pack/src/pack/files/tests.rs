//! Which files are open, and what may have changed.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use extents::failure::Failure;
use extents::image::file::ImageFile;
use tempfile::TempDir;

use crate::pack::files::{FileNumber, Files, MAX_OPEN};

/// So many files, each with its number as content, and their names.
fn folder(count: usize) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let name = |number: usize| folder.path().join(number.to_string()).to_str().unwrap().to_owned();
    let names: Vec<String> = (0..count).map(name).collect();
    for (number, name) in names.iter().enumerate() {
        fs::write(name, number.to_string()).unwrap();
    }
    (folder, names)
}

/// Which files are open, by the order in which they were named.
fn open(files: &Files) -> Vec<usize> {
    let table = files.lock();
    table.known.iter().enumerate().filter(|(_, known)| known.open.is_some()).map(|(at, _)| at).collect()
}

fn status<T>(result: Result<T, Failure>) -> u8 {
    result.map_or_else(|failure| failure.status() as u8, |_| 0)
}

/// The clock of file systems goes in steps: what is written now gets a later time than what was before.
fn later() {
    sleep(Duration::from_millis(20));
}

#[test]
fn the_file_that_was_not_used_for_the_longest_time_is_closed_and_opened_again_when_it_is_needed() {
    let (_folder, names) = folder(MAX_OPEN + 2);
    let files = Files::new();
    let numbers: Vec<FileNumber> = names[..MAX_OPEN]
        .iter()
        .map(|name| {
            let number = files.number(name).unwrap();
            files.get(number).unwrap();
            number
        })
        .collect();
    assert_eq!(open(&files), (0..MAX_OPEN).collect::<Vec<_>>());
    // File 0 was opened first, but file 1 is the one that nobody has asked for since.
    files.get(numbers[0]).unwrap();
    files.number(&names[MAX_OPEN]).unwrap();
    let without = |closed: &[usize]| (0..=MAX_OPEN).filter(|at| !closed.contains(at)).collect::<Vec<_>>();
    assert_eq!(open(&files), without(&[1]));
    // It takes the place of file 2.
    let again = files.get(numbers[1]).unwrap();
    assert_eq!(open(&files), without(&[2]));
    let mut content = [0];
    again.read_exact_at(&mut content, 0, "content").unwrap();
    assert_eq!(&content, b"1");
    assert_eq!(files.check_unchanged(), Ok(()));
}

#[test]
fn a_file_has_one_number_however_often_it_is_named() {
    let (_folder, names) = folder(2);
    let files = Files::new();
    let number = files.number(&names[0]).unwrap();
    assert_ne!(files.number(&names[1]).unwrap(), number);
    assert_eq!(files.number(&names[0]).unwrap(), number);
}

#[test]
fn a_file_that_was_replaced_while_it_was_closed_is_not_read() {
    let (_folder, names) = folder(MAX_OPEN + 1);
    let files = Files::new();
    let numbers: Vec<FileNumber> = names.iter().map(|name| files.number(name).unwrap()).collect();
    assert!(!open(&files).contains(&0));
    let other = format!("{}.other", names[0]);
    fs::write(&other, "0").unwrap();
    fs::rename(&other, &names[0]).unwrap();
    assert_eq!(status(files.get(numbers[0])), 1);
    assert_eq!(status(files.check_unchanged()), 1);
}

#[test]
fn a_file_that_changed_after_the_map_began_is_not_read() {
    let (_folder, names) = folder(3);
    later();
    let files = Files::new();
    files.begin();
    later();
    fs::write(&names[1], "changed").unwrap();
    // It has the time of its content still.
    fs::rename(&names[2], format!("{}.renamed", names[2])).unwrap();
    files.begin();
    assert_eq!(status(files.number(&names[0])), 0);
    assert_eq!(status(files.number(&names[1])), 1);
    assert_eq!(status(files.number(&format!("{}.renamed", names[2]))), 1);
}

#[test]
fn a_file_of_a_map_must_not_be_written_to_nor_replaced_nor_removed_while_it_is_read() {
    let (_folder, names) = folder(1);
    let changes: [fn(&str); 4] = [
        |name| fs::write(name, "1").unwrap(),
        |name| fs::write(name, "longer").unwrap(),
        |name| {
            fs::remove_file(name).unwrap();
            fs::create_dir(name).unwrap();
        },
        |name| fs::remove_dir(name).unwrap(),
    ];
    let files = Files::new();
    files.number(&names[0]).unwrap();
    assert_eq!(files.check_unchanged(), Ok(()));
    for change in changes {
        later();
        change(&names[0]);
        assert_eq!(status(files.check_unchanged()), 1);
    }
}

#[test]
fn a_raw_disk_may_be_written_to_and_moved_but_not_resized() {
    let (_folder, names) = folder(1);
    let (files, number) = Files::of_disk(ImageFile::open(Path::new(&names[0])).unwrap()).unwrap();
    later();
    fs::write(&names[0], "1").unwrap();
    assert_eq!(files.check_unchanged(), Ok(()));
    let moved = format!("{}.moved", names[0]);
    fs::rename(&names[0], &moved).unwrap();
    assert_eq!(files.check_unchanged(), Ok(()));
    assert!(files.get(number).is_ok());
    fs::write(&moved, "longer").unwrap();
    let failure = files.check_unchanged().unwrap_err();
    assert!(failure.to_string().ends_with("found 6 bytes, expected 1"), "{failure}");
    assert_eq!(failure.status() as u8, 1);
}
