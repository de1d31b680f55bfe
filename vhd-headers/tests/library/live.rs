//! Images that change while they are walked.

use extents::failure::{Failure, Status};
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;
use image_builders::vhd::{Built, Chain, Vhd, Write};
use image_builders::walk::{assert_noticed, changed_after};
use vhd_headers::chain::{Chain as LiveChain, Options};
use vhd_headers::granularity::Granularity;

use crate::guest::open;

/// A parent and its child, of four blocks of 8 KiB.
fn chain() -> Chain {
    let mut parent = Vhd::dynamic("parent.vhd", 4 << 13).with(Write::data(1, 20));
    parent.block_bits = 13;
    let child = Vhd::child_of(&parent, "child.vhd").with(Write::data(2, 1)).with(Write::data(40, 2));
    Chain(vec![parent, child])
}

/// Walks the chain to its middle, changes its image number `image` (0 is the parent), and walks on.
fn walked(image: usize, change: impl Fn(&mut Built)) -> Result<(), Failure> {
    walked_from(2, image, change)
}

/// The same, with `count` extents before the change.
fn walked_from(count: usize, image: usize, change: impl Fn(&mut Built)) -> Result<(), Failure> {
    let directory = tempfile::tempdir().unwrap();
    let truth = chain();
    let chain = open(&truth.write_to(directory.path()).unwrap()).unwrap();
    let mut built = truth.0[image].build();
    change(&mut built);
    let extents = chain.extents(Granularity::Sector).unwrap();
    changed_after(count, extents, &directory.path().join(&built.name), &built.bytes)
}

fn noticed(image: usize, what: &str, change: impl Fn(&mut Built)) {
    assert_noticed(walked(image, change), ["parent.vhd", "child.vhd"][image], what);
}

#[test]
fn what_decides_where_data_lies_must_not_change() {
    noticed(1, "the BAT", |image| image.set_entry(3, 0));
    for image in [0, 1] {
        noticed(image, "the footer", |image| image.patch_footers(48, &(1_u64 << 20).to_be_bytes()));
        noticed(image, "the footer", |image| image.bytes.truncate(image.tail));
        noticed(image, "the dynamic header", |image| image.patch_header(28, &1_u32.to_be_bytes()));
        noticed(image, "the dynamic header", |image| image.bytes[image.header] = 0);
    }
}

#[test]
fn a_child_that_gets_another_parent_is_noticed() {
    noticed(1, "the dynamic header", |image| image.patch_header(40, &[9; 16]));
    noticed(1, "the name of the parent", |image| {
        let name = image.bytes.windows(11).position(|bytes| bytes == b"/parent.vhd").unwrap();
        image.bytes[name + 1] = b'q';
    });
}

#[test]
fn guest_data_and_one_of_two_footers_may_change() {
    assert_eq!(walked(1, |_| {}), Ok(()));
    assert_eq!(walked(1, |image| image.bytes[..512].fill(0)), Ok(()));
    for image in [0, 1] {
        let data = |image: &mut Built| {
            let offset = image.blocks[&0] + 512;
            image.bytes[offset..offset + 8192].fill(0xab);
        };
        assert_eq!(walked(image, data), Ok(()));
    }
}

#[test]
fn a_parent_may_grow_by_what_its_child_hides() {
    let grow = |image: &mut Built| {
        let footer = image.bytes.split_off(image.tail);
        image.set_entry(2, u32::try_from(image.tail / 512).unwrap());
        image.bytes.extend([0xff; 512 + 8192]);
        image.bytes.extend(footer);
    };
    assert_eq!(walked(0, grow), Ok(()));
}

#[test]
fn an_image_that_becomes_shorter_is_no_damage_wherever_the_walk_is() {
    let mut noticed = 0;
    for (image, count) in [(0, 0), (1, 0), (1, 2), (0, 3)] {
        for length in (0..chain().0[image].build().bytes.len()).step_by(512) {
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
    for name in ["parent.vhd", "child.vhd"] {
        let directory = tempfile::tempdir().unwrap();
        let chain = open(&chain().write_to(directory.path()).unwrap()).unwrap();
        let other = directory.path().join("other");
        std::fs::copy(directory.path().join(name), &other).unwrap();
        std::fs::rename(&other, directory.path().join(name)).unwrap();
        let failure = chain.extents(Granularity::Sector).unwrap().find_map(Result::err).unwrap();
        assert_eq!(failure.status(), Status::System);
        assert!(failure.to_string().contains("its name leads to another file now"), "{failure}");
    }
}

#[test]
fn a_parent_that_is_replaced_before_it_is_opened_is_another_chain_and_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let child = chain().write_to(directory.path()).unwrap();
    let image = ImageFile::open(&child).unwrap();
    let confinement = Confinement::new(Some(&child), &[]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    for content in [Vhd::dynamic("other.vhd", 4 << 13).build().bytes, vec![7; 4096]] {
        std::fs::write(directory.path().join("parent.vhd"), content).unwrap();
        let image = ImageFile::new(image.as_file().try_clone().unwrap(), child.clone()).unwrap();
        let failure = LiveChain::open(image, &confinement, Options { parents: true }).unwrap_err();
        assert_eq!(failure.status(), Status::System, "{failure}");
    }
}
