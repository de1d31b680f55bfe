//! Which files are open, and what may have changed.

use std::fs::{self, hard_link};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use extents::document::map::file_state::FileState;
use extents::failure::Failure;
use extents::frame::disk_output::file_state;
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
            let number = files.number(name, None).unwrap();
            files.get(number).unwrap();
            number
        })
        .collect();
    assert_eq!(open(&files), (0..MAX_OPEN).collect::<Vec<_>>());
    // File 0 was opened first, but file 1 is the one that nobody has asked for since.
    files.get(numbers[0]).unwrap();
    files.number(&names[MAX_OPEN], None).unwrap();
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
    let number = files.number(&names[0], None).unwrap();
    assert_ne!(files.number(&names[1], None).unwrap(), number);
    assert_eq!(files.number(&names[0], None).unwrap(), number);
}

#[test]
fn a_file_that_was_replaced_while_it_was_closed_is_not_read() {
    let (_folder, names) = folder(MAX_OPEN + 1);
    let files = Files::new();
    let numbers: Vec<FileNumber> = names.iter().map(|name| files.number(name, None).unwrap()).collect();
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
    assert_eq!(status(files.number(&names[0], None)), 0);
    assert_eq!(status(files.number(&names[1], None)), 1);
    assert_eq!(status(files.number(&format!("{}.renamed", names[2]), None)), 1);
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
    files.number(&names[0], None).unwrap();
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
    assert!(failure.to_string().ends_with("found 6 bytes, expected 1; try again"), "{failure}");
    assert_eq!(failure.status() as u8, 1);
}

/// What a map that was made now says of the file.
fn described(name: &str) -> FileState {
    file_state(&ImageFile::open(Path::new(name)).unwrap().state())
}

#[test]
fn a_file_is_in_the_state_that_the_map_describes_whatever_it_is_called_and_whenever_the_map_says_so() {
    let (_folder, names) = folder(3);
    let link = format!("{}.link", names[0]);
    symlink(&names[0], &link).unwrap();
    hard_link(&names[0], format!("{}.hard", names[0])).unwrap();
    let [state, other] = [&names[0], &names[1]].map(|name| described(name));
    let files = Files::new();
    for name in [&names[0], &link, &format!("{}.hard", names[0]), &names[0]] {
        assert_eq!(status(files.number(name, Some(&state))), 0, "{name}");
        assert_eq!(status(files.number(name, Some(&other))), 1, "{name}");
    }
    // Said of a file that is open already.
    files.number(&names[1], None).unwrap();
    assert_eq!(status(files.number(&names[1], Some(&state))), 1);
    assert_eq!(status(files.number(&names[1], Some(&other))), 0);
    assert_eq!(status(files.number(&names[2], Some(&FileState::Device { size: 1 }))), 1);
    assert_eq!(status(files.number("/dev/null", Some(&state))), 1);
    assert_eq!(files.check_unchanged(), Ok(()));
}

#[test]
fn each_number_of_a_described_state_counts() {
    let (_folder, names) = folder(1);
    let state = described(&names[0]);
    let FileState::File { size, device, inode, modified, changed } = state else { panic!("{state:?}") };
    let late = |(seconds, nanoseconds)| (seconds, nanoseconds + 1);
    for (wrong, what) in [
        (FileState::File { size: size + 1, device, inode, modified, changed }, "found 1 bytes, expected 2"),
        (FileState::File { size, device: device + 1, inode, modified, changed }, "replaced"),
        (FileState::File { size, device, inode: inode + 1, modified, changed }, "replaced"),
        (FileState::File { size, device, inode, modified: late(modified), changed }, "written to"),
        (FileState::File { size, device, inode, modified, changed: late(changed) }, "written to"),
    ] {
        let failure = Files::new().number(&names[0], Some(&wrong)).unwrap_err();
        assert_eq!(failure.status() as u8, 1);
        assert!(failure.to_string().contains(what), "{failure}");
    }
}

#[test]
fn a_file_in_the_state_that_the_map_describes_may_be_younger_than_the_map_but_not_change() {
    let changes: [fn(&str); 3] = [
        |name| fs::set_permissions(name, fs::Permissions::from_mode(0o600)).unwrap(),
        |name| hard_link(name, format!("{name}.hard")).unwrap(),
        |name| {
            fs::copy(name, format!("{name}.copy")).unwrap();
            fs::rename(format!("{name}.copy"), name).unwrap();
        },
    ];
    for change in changes {
        let (_folder, names) = folder(1);
        let files = Files::new();
        files.begin();
        later();
        fs::write(&names[0], "1").unwrap();
        later();
        files.number(&names[0], Some(&described(&names[0]))).unwrap();
        assert_eq!(files.check_unchanged(), Ok(()));
        change(&names[0]);
        assert_eq!(status(files.check_unchanged()), 1);
    }
}
