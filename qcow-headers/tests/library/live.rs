//! QCOW2 images that change while they are walked.

use std::fs::OpenOptions;
use std::path::Path;

use extents::failure::{Failure, Status};
use image_builders::qcow2::{Built, Cluster, Image};
use image_builders::walk::{assert_noticed, changed_after};

use crate::guest::open;

/// An image of 12 L2 tables over its backing file. In every second table, the latter has cluster 0 and the former 1.
fn images() -> [Image; 2] {
    let mut base = Image::new("base.qcow2", 12 * 64 * 512).cluster_bits(9);
    let mut top = Image::new("top.qcow2", 12 * 64 * 512).cluster_bits(9).over("base.qcow2", Some("qcow2"));
    for table in (0..12).step_by(2) {
        base.set(table * 64, Cluster::Data);
        top.set(table * 64 + 1, Cluster::Data);
    }
    [base, top]
}

/// Walks the chain to its middle, changes image number `image` (0 is the backing file), and walks on.
fn walked(image: usize, change: impl Fn(&mut Built)) -> Result<(), Failure> {
    walked_from(4, image, change)
}

/// The same, with `count` extents before the change.
fn walked_from(count: usize, image: usize, change: impl Fn(&mut Built)) -> Result<(), Failure> {
    let directory = tempfile::tempdir().unwrap();
    let images = images();
    let paths = images.each_ref().map(|image| image.write_to(directory.path()).unwrap());
    let chain = open(&paths[1]).unwrap();
    let mut built = images[image].build();
    change(&mut built);
    changed_after(count, chain.extents(), &paths[image], &built.bytes)
}

fn noticed(image: usize, what: &str, change: impl Fn(&mut Built)) {
    assert_noticed(walked(image, change), ["base.qcow2", "top.qcow2"][image], what);
}

#[test]
fn what_decides_where_data_lies_must_not_change() {
    for image in [0, 1] {
        noticed(image, "the header", |image| image.put_u64(24, 1 << 40));
        noticed(image, "the header", |image| image.put_u64(24, 512));
        noticed(image, "the header", |image| image.bytes[0] = 0);
    }
    for image in [0, 1] {
        noticed(image, "the L1 table", |image| image.put_u64(image.places.l1, 0));
        // The last entry leads to a table that is there.
        noticed(image, "the L1 table", |image| {
            image.put_u64(image.places.l1 + 11 * 8, image.places.l2[&0]);
        });
    }
}

#[test]
fn an_image_that_gets_another_backing_file_is_noticed() {
    noticed(1, "the header", |image| {
        let name = image.bytes.windows(10).position(|bytes| bytes == b"base.qcow2").unwrap();
        image.bytes[name] = b'c';
    });
    noticed(1, "the header", |image| image.put_u64(8, 0));
}

#[test]
fn a_cluster_that_is_given_is_noticed_where_the_walk_has_been() {
    for image in [0, 1] {
        let given =
            |table: u64| move |built: &mut Built| built.put_u64(built.l2_entry(table * 64 + image as u64), 0);
        noticed(image, "an L2 table", given(0));
        // Ahead of the walk there is nothing to notice: it finds the image as it is now.
        assert_eq!(walked(image, given(10)), Ok(()));
    }
}

#[test]
fn what_looks_like_damage_in_an_image_that_changed_is_a_change() {
    // The cluster was given past the end of the file that was opened.
    let grown = |built: &mut Built| {
        let end = built.bytes.len() as u64;
        built.put_u64(built.l2_entry(10 * 64 + 1), end);
        built.bytes.resize(built.bytes.len() + 512, 7);
    };
    let failure = walked(1, grown).unwrap_err();
    assert_eq!(failure.status(), Status::System);
    let sentence = failure.to_string();
    assert!(sentence.contains("top.qcow2: changed while it was read: data of guest offset"), "{sentence}");
    assert!(sentence.ends_with("; try again"), "{sentence}");
}

#[test]
fn guest_data_the_dirty_bit_and_the_place_of_the_refcount_table_may_change() {
    assert_eq!(walked(1, |_| {}), Ok(()));
    for image in [0, 1] {
        let data = |built: &mut Built| {
            let entry = usize::try_from(built.l2_entry(image as u64)).unwrap();
            let entry = u64::from_be_bytes(built.bytes[entry..entry + 8].try_into().unwrap());
            built.put(entry & 0x00FF_FFFF_FFFF_FE00, &[0xab; 512]);
        };
        assert_eq!(walked(image, data), Ok(()));
        assert_eq!(walked(image, |image| image.put_u64(72, 1)), Ok(()));
        assert_eq!(walked(image, |image| image.put_u64(48, 1 << 20)), Ok(()));
    }
}

#[test]
fn a_raw_backing_file_that_grows_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("base.raw");
    std::fs::write(&base, [7; 4096]).unwrap();
    let top = Image::new("top.qcow2", 1 << 20).over("base.raw", Some("raw"));
    let chain = open(&top.write_to(directory.path()).unwrap()).unwrap();
    assert!(chain.extents().all(|extent| extent.is_ok()));
    OpenOptions::new().write(true).open(&base).unwrap().set_len(8192).unwrap();
    let failure = chain.extents().find_map(Result::err).unwrap();
    assert_eq!(failure.status(), Status::System);
    assert!(
        failure.to_string().ends_with("base.raw: changed while it was read: it was written to; try again")
    );
}

#[test]
fn an_image_that_becomes_shorter_is_no_damage_wherever_the_walk_is() {
    let images = images();
    let mut noticed = 0;
    for (image, count) in [(0, 0), (0, 1), (1, 0), (1, 4), (1, 20)] {
        let size = images[image].build().bytes.len();
        for length in (0..size).step_by(512) {
            let done = walked_from(count, image, |built| built.bytes.truncate(length));
            noticed += u32::from(done.is_err());
            assert!(
                done.as_ref().err().is_none_or(|failure| failure.status() == Status::System),
                "{length}: {done:?}"
            );
        }
    }
    assert!(noticed > 20, "{noticed}");
}

#[test]
fn an_image_that_another_file_takes_the_name_of_is_noticed_at_the_end() {
    for image in [0, 1] {
        let directory = tempfile::tempdir().unwrap();
        let paths = images().map(|image| image.write_to(directory.path()).unwrap());
        let other = directory.path().join("other");
        std::fs::copy(&paths[image], &other).unwrap();
        let chain = open(&paths[1]).unwrap();
        std::fs::rename(&other, &paths[image]).unwrap();
        let failure = chain.extents().find_map(Result::err).unwrap();
        assert_eq!(failure.status(), Status::System);
        assert!(failure.to_string().contains("its name leads to another file now"), "{failure}");
    }
}

#[test]
fn an_external_data_file_may_be_written_to_but_not_become_shorter_nor_be_replaced() {
    let write: fn(&Path) = |data| std::fs::write(data, vec![8; 1 << 20]).unwrap();
    let cut: fn(&Path) = |data| OpenOptions::new().write(true).open(data).unwrap().set_len(1 << 19).unwrap();
    let replace: fn(&Path) = |data| {
        let other = data.with_extension("other");
        std::fs::write(&other, vec![8; 1 << 20]).unwrap();
        std::fs::rename(&other, data).unwrap();
    };
    for (number, (change, allowed)) in [(write, true), (cut, false), (replace, false)].into_iter().enumerate()
    {
        let directory = tempfile::tempdir().unwrap();
        let mut image = Image::new("top.qcow2", 1 << 20);
        image.data_file = Some("top.data".to_owned());
        image.set(0, Cluster::Data);
        let path = image.write_to(directory.path()).unwrap();
        let data = directory.path().join("top.data");
        std::fs::write(&data, vec![7; 1 << 20]).unwrap();
        let chain = open(&path).unwrap();
        change(&data);
        let failure = chain.extents().find_map(Result::err);
        assert_eq!(failure.is_none(), allowed, "{number}: {failure:?}");
        assert!(failure.is_none_or(|failure| failure.status() == Status::System), "{number}");
    }
}
