//! Finding the parent of a differencing disk by its locators and its name.

use image_builders::vhd::{Chain, Locator, Vhd};

use crate::guest::{assert_exact, failure_in, open, open_within};
use crate::parents::{assert_found, child_of, named, parent};

#[test]
fn mac_locators_lead_to_the_parent_with_percent_signs_kept() {
    assert_found(parent(), named(vec![Locator::mac("file://./parent.vhd")], ""));
    let odd = Vhd { name: "p%20 é.vhd".into(), ..parent() };
    let url = Locator::mac("file://p%20 é.vhd");
    assert_found(odd.clone(), Vhd { locators: vec![url], parent_name: String::new(), ..child_of(&odd) });
}

#[test]
fn windows_locators_lead_to_the_parent_which_vhd_tool_refuses() {
    assert_found(parent(), named(vec![Locator::windows(*b"W2ru", ".\\parent.vhd")], ""));
    assert_found(parent(), named(vec![Locator::windows(*b"W2ku", ".\\parent.vhd")], ""));
    assert_found(parent(), named(vec![Locator::windows(*b"W2ku", "C:\\vm\\parent.vhd")], ""));
    let absolute = Locator::windows(*b"W2ku", "C:\\vm\\other.vhd");
    assert_found(parent(), named(vec![absolute, Locator::windows(*b"W2ru", ".\\parent.vhd")], ""));
}

#[test]
fn the_parent_name_is_the_last_resort() {
    assert_found(parent(), named(vec![], "parent.vhd"));
    assert_found(parent(), named(vec![], "C:\\vm\\parent.vhd"));
    assert_found(parent(), named(vec![Locator::mac("file://./gone.vhd")], "parent.vhd"));
}

#[test]
fn locators_of_other_platforms_are_passed_over() {
    let unknown = Locator::new(*b"abcd", vec![1, 2, 3]);
    let alias = Locator::new(*b"Mac ", vec![0; 600]);
    let deprecated = Locator::windows(*b"Wi2k", ".\\other.vhd");
    assert_found(parent(), named(vec![unknown, alias, deprecated, Locator::mac("file://./parent.vhd")], ""));
}

#[test]
fn the_space_of_a_locator_counts_sectors_or_bytes() {
    for space in [1, 511, 512, 4096] {
        assert_found(parent(), named(vec![Locator { space, ..Locator::mac("file://./parent.vhd") }], ""));
    }
    // A name that fills its space, and the longest that is read.
    for length in [512, 64 << 10] {
        let mut name = Locator::mac("file://./parent.vhd").name;
        name.resize(length, 0);
        assert_found(parent(), named(vec![Locator::new(*b"MacX", name)], ""));
    }
}

/// Another file in its place could be a wrong one, and nothing would tell.

#[test]
fn a_name_that_is_refused_is_passed_over_only_where_a_unique_id_shows_the_right_parent() {
    let elsewhere = tempfile::tempdir().unwrap();
    let names = |name: &str| {
        let beside = Locator::mac(&format!("file://./{name}"));
        vec![Locator::mac(&format!("file://{}/{name}", elsewhere.path().display())), beside]
    };
    parent().build().write_to(elsewhere.path()).unwrap();
    assert_found(parent(), named(names("parent.vhd"), ""));
    let raw = Vhd::raw("parent.raw", 4 << 13);
    let directory = tempfile::tempdir().unwrap();
    raw.build().write_to(directory.path()).unwrap();
    let child = Vhd { locators: names("parent.raw"), ..child_of(&raw) };
    raw.build().write_to(elsewhere.path()).unwrap();
    let (status, sentence) = failure_in(directory.path(), &child.build());
    assert_eq!(status as u8, 4);
    assert!(sentence.contains("/parent.raw lies outside the directory"), "{sentence}");
    // Where there is no such file, the other name is as good as the first.
    std::fs::remove_file(elsewhere.path().join("parent.raw")).unwrap();
    let path = child.build().write_to(directory.path()).unwrap();
    assert_exact(&open(&path).unwrap(), &Chain(vec![raw, child]));
}

#[test]
fn a_parent_that_was_moved_with_its_child_is_found_by_its_file_name() {
    let directory = tempfile::tempdir().unwrap();
    let child = named(vec![Locator::mac("file:///gone/vm/parent.vhd")], "");
    parent().build().write_to(directory.path()).unwrap();
    let path = child.build().write_to(directory.path()).unwrap();
    assert_exact(&open(&path).unwrap(), &Chain(vec![parent(), child.clone()]));
    // In a search path too, where the file that is in the way has another id.
    let other = tempfile::tempdir().unwrap();
    std::fs::rename(directory.path().join("parent.vhd"), other.path().join("parent.vhd")).unwrap();
    let sentence = open(&path).unwrap_err().to_string();
    assert!(sentence.contains("not found") && !sentence.contains("would allow"), "{sentence}");
    assert_exact(&open_within(&path, other.path()).unwrap(), &Chain(vec![parent(), child]));
}

#[test]
fn a_windows_name_in_other_case_is_found_where_its_id_shows_the_right_parent() {
    let directory = tempfile::tempdir().unwrap();
    let child = named(vec![], "C:\\VMs\\PARENT.VHD");
    let beside = |name: &str| directory.path().join(name);
    parent().build().write_to(directory.path()).unwrap();
    let path = child.build().write_to(directory.path()).unwrap();
    assert_exact(&open(&path).unwrap(), &Chain(vec![parent(), child]));
    std::fs::copy(beside("parent.vhd"), beside("Parent.vhd")).unwrap();
    assert_eq!(open(&path).unwrap_err().status() as u8, 1);
    let alone = tempfile::tempdir().unwrap();
    let (status, sentence) = failure_in(alone.path(), &named(vec![], "C:\\old\\CHILD.VHD").build());
    assert_eq!(status as u8, 1, "{sentence}");
    let raw = Vhd::raw("parent.raw", 4 << 13);
    raw.build().write_to(directory.path()).unwrap();
    let child = Vhd { locators: vec![], parent_name: "PARENT.RAW".to_owned(), ..child_of(&raw) };
    assert_eq!(failure_in(directory.path(), &child.build()).0 as u8, 1);
}

#[test]
fn a_raw_parent_that_cannot_be_reached_is_not_replaced_by_another_of_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let (images, other) = (directory.path().join("images"), directory.path().join("other"));
    std::fs::create_dir_all(other.join("d")).unwrap();
    std::fs::create_dir(&images).unwrap();
    let raw = Vhd::raw("parent.raw", 4 << 13);
    raw.build().write_to(&other.join("d")).unwrap();
    // What a link to itself leads to cannot be known, not even by root.
    std::os::unix::fs::symlink("d", images.join("d")).unwrap();
    let child = Vhd {
        locators: vec![Locator::mac("file://./d/parent.raw")],
        parent_name: String::new(),
        ..child_of(&raw)
    };
    let path = child.build().write_to(&images).unwrap();
    let open = || open_within(&path, &other);
    let failure = open().unwrap_err();
    assert_eq!(failure.status() as u8, 1);
    assert!(failure.to_string().contains("d/parent.raw: cannot open"), "{failure}");
    std::fs::remove_file(images.join("d")).unwrap();
    assert!(open().is_ok());
}

#[test]
fn a_missing_parent_is_a_failure_of_the_system() {
    let directory = tempfile::tempdir().unwrap();
    let (status, sentence) = failure_in(directory.path(), &child_of(&parent()).build());
    assert_eq!(status as u8, 1);
    let expected = format!("child.vhd: parent parent.vhd not found in {}", directory.path().display());
    assert_eq!(sentence, expected);
}

#[test]
fn a_parent_without_any_name_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (status, sentence) = failure_in(directory.path(), &named(vec![], "").build());
    assert_eq!(status as u8, 3);
    assert_eq!(sentence, "child.vhd: the parent has no name: found no locator and no name, expected one");
}

#[test]
fn a_parent_elsewhere_is_refused_until_it_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let (images, elsewhere) = (directory.path().join("images"), directory.path().join("elsewhere"));
    std::fs::create_dir(&images).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    parent().build().write_to(&elsewhere).unwrap();
    let child = named(vec![Locator::mac("file://../elsewhere/parent.vhd")], "");
    let path = child.build().write_to(&images).unwrap();
    let failure = open(&path).unwrap_err();
    assert_eq!(failure.status() as u8, 4);
    assert!(failure.to_string().contains("--search-path"), "{failure}");
    let chain = open_within(&path, &elsewhere).unwrap();
    assert_exact(&chain, &Chain(vec![parent(), child]));
}

#[test]
fn the_names_of_lvm_lead_through_its_symlinks_with_a_search_path() {
    let directory = tempfile::tempdir().unwrap();
    let (mapper, group) = (directory.path().join("mapper"), directory.path().join("VG"));
    std::fs::create_dir(&mapper).unwrap();
    std::fs::create_dir(&group).unwrap();
    let base = Vhd { name: "VG-parent".into(), ..parent() };
    let truth = Chain(vec![base.clone(), Vhd { name: "VG-child".into(), ..child_of(&base) }]);
    truth.write_to(&mapper).unwrap();
    let path = group.join("child");
    std::os::unix::fs::symlink("../mapper/VG-child", &path).unwrap();
    assert_eq!(open(&path).unwrap_err().status() as u8, 1);
    let chain = open_within(&path, &mapper).unwrap();
    assert_exact(&chain, &truth);
}
