//! What stands under a name, and beside it, before a file is whole and after.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, setxattr};

use crate::host::destination::Destination;
use crate::host::whole_file::{Part, WholeFile};

/// A file whose part has a name, or the one that is begun wherever that is possible.
fn begun(path: &Path, force: bool, named: bool) -> WholeFile {
    let whole = WholeFile::create(Destination::of(path).unwrap(), force).unwrap();
    if named { WholeFile { part: Part::named(&whole.path, 0o600).unwrap(), ..whole } } else { whole }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_seen_of_a_file_before_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let whole = begun(&path, false, false);
    whole.file().write_all(b"all").unwrap();
    // Some file systems have no files without names.
    assert_eq!(names(folder.path()).is_empty(), matches!(whole.part, Part::Unnamed(_)));
    whole.finish().unwrap();
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["new".to_owned()], b"all".to_vec()));
}

#[test]
fn a_part_with_a_name_has_one_of_its_own_and_leaves_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    fs::write(folder.path().join("new.part"), "theirs").unwrap();
    for finished in [false, true] {
        let whole = begun(&path, false, true);
        whole.file().write_all(b"all").unwrap();
        let found = names(folder.path());
        assert!(found.len() == 2 && found[0].starts_with(".new.") && found[0].contains(".part"), "{found:?}");
        if finished {
            whole.finish().unwrap();
        } else {
            drop(whole);
            assert_eq!(names(folder.path()), ["new.part"]);
        }
    }
    assert_eq!(names(folder.path()), ["new", "new.part"]);
    assert_eq!(fs::read(folder.path().join("new.part")).unwrap(), b"theirs");
}

#[test]
fn what_appears_meanwhile_is_replaced_by_force_alone() {
    for (force, named) in [(false, false), (false, true), (true, false), (true, true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let whole = begun(&path, force, named);
        whole.file().write_all(b"ours").unwrap();
        fs::write(&path, "theirs").unwrap();
        let done = whole.finish();
        let expected = if force { "ours" } else { "theirs" };
        assert_eq!((done.is_ok(), fs::read_to_string(&path).unwrap()), (force, expected.to_owned()));
        assert_eq!(names(folder.path()), ["new"]);
    }
}

#[test]
fn what_a_link_leads_to_is_replaced_and_keeps_its_mode() {
    for named in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("link"), folder.path().join("inside/target"));
        fs::create_dir(folder.path().join("inside")).unwrap();
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o604)).unwrap();
        symlink("inside/target", &path).unwrap();
        let whole = begun(&path, true, named);
        if !named {
            assert_eq!(whole.file().metadata().unwrap().mode() & 0o7777, 0o604);
        }
        whole.file().write_all(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        whole.finish().unwrap();
        assert!(path.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(&folder.path().join("inside")), ["target"]);
    }
}

#[test]
fn what_is_noted_on_a_file_and_its_owner_stay_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    let has_notes = setxattr(&path, "user.origin", b"vault", XattrFlags::empty()).is_ok();
    // Only root may give a file away.
    let has_owner = chown(&path, Some(1234), Some(4321)).is_ok();
    let before = fs::metadata(&path).unwrap();
    let whole = WholeFile::create(Destination::of(&path).unwrap(), true).unwrap();
    whole.finish().unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
    assert!(!has_owner || (after.uid(), after.gid()) == (1234, 4321));
    let mut note = [0; 5];
    assert!(!has_notes || getxattr(&path, "user.origin", &mut note[..]) == Ok(5) && note == *b"vault");
}
