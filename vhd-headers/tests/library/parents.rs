//! The parents of a differencing disk: which are taken, and what is read through them.

use extents::extent::stored::Stored;
use extents::extent::{Content, Extent};
use image_builders::vhd::{Chain, Locator, Vhd, Write};
use vhd_headers::granularity::Granularity;

use crate::guest::{assert_exact, extents, failure_in, intervals, open, open_alone};

/// A parent of four blocks of 8 KiB, the first two of which hold something.
pub(crate) fn parent() -> Vhd {
    let mut parent = Vhd::dynamic("parent.vhd", 4 << 13).with(Write::data(1, 20));
    parent.block_bits = 13;
    parent
}

/// A child that has written over part of it.
pub(crate) fn child_of(parent: &Vhd) -> Vhd {
    Vhd::child_of(parent, "child.vhd")
        .with(Write::data(2, 1))
        .with(Write::zeros(4, 1))
        .with(Write::data(40, 2))
}

/// Asserts that the chain of the two is found and shows its disk.
pub(crate) fn assert_found(parent: Vhd, child: Vhd) {
    let directory = tempfile::tempdir().unwrap();
    let truth = Chain(vec![parent, child]);
    let chain = open(&truth.write_to(directory.path()).unwrap()).unwrap();
    assert_eq!(chain.layers().len(), 2);
    assert_exact(&chain, &truth);
}

pub(crate) fn named(locators: Vec<Locator>, name: &str) -> Vhd {
    Vhd { locators, parent_name: name.into(), ..child_of(&parent()) }
}

#[test]
fn a_raw_parent_is_not_guessed_and_no_image_is_taken_for_its_own_parent() {
    let directory = tempfile::tempdir().unwrap();
    let raw = Vhd::raw("parent.raw", 4 << 13);
    raw.build().write_to(directory.path()).unwrap();
    let drive = |path: &str| vec![Locator::windows(*b"W2ku", path)];
    let child = Vhd { locators: drive("C:\\vm\\parent.raw"), parent_name: String::new(), ..child_of(&raw) };
    let (status, sentence) = failure_in(directory.path(), &child.build());
    assert_eq!(status as u8, 1);
    assert!(sentence.starts_with("child.vhd: parent vm/parent.raw not found in /"), "{sentence}");
    let (status, sentence) = failure_in(directory.path(), &named(drive("C:\\vm\\child.vhd"), "").build());
    assert_eq!(status as u8, 1);
    assert!(sentence.starts_with("child.vhd: parent vm/child.vhd not found in /"), "{sentence}");
}

#[test]
fn a_null_parent_id_means_a_raw_parent_which_vhd_tool_refuses() {
    let raw = Vhd::raw("parent.raw", 4 << 13).with(Write::data(1, 20));
    assert_found(raw.clone(), Vhd { block_bits: 13, ..child_of(&raw) });
}

/// libvhd would take it as raw; whoever left the id out may have meant the VHD. Reading the whole disk is right for both.

#[test]
fn a_null_parent_id_over_a_vhd_is_left_open() {
    let raw = Vhd::raw("parent.raw", 4 << 13);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("parent.raw"), parent().build().bytes).unwrap();
    let failure = open(&child_of(&raw).build().write_to(directory.path()).unwrap()).unwrap_err();
    assert_eq!(failure.status() as u8, 4);
    assert!(failure.to_string().contains("gives its parent no unique id"), "{failure}");
}

#[test]
fn a_fixed_parent_is_all_data_which_vhd_tool_refuses() {
    let fixed = Vhd::fixed("parent.vhd", 4 << 13).with(Write::data(1, 20));
    assert_found(fixed.clone(), Vhd { block_bits: 13, ..child_of(&fixed) });
}

#[test]
fn block_sizes_may_differ_where_vhd_tool_loses_data() {
    for (above, below) in [(14, 12), (12, 14), (9, 16)] {
        let mut child = Vhd { block_bits: above, ..child_of(&parent()) };
        let parent = Vhd { block_bits: below, ..parent() };
        child.shuffle = 5;
        let directory = tempfile::tempdir().unwrap();
        let truth = Chain(vec![parent, child]);
        let chain = open(&truth.write_to(directory.path()).unwrap()).unwrap();
        assert_eq!(chain.cluster_bits(), above.min(below));
        assert_exact(&chain, &truth);
    }
}

#[test]
fn a_parent_may_be_smaller_or_larger() {
    for size in [100, 10_000, 4 << 13, 7 << 13] {
        assert_found(Vhd { size, ..parent() }, Vhd { size: 4 << 13, ..child_of(&parent()) });
    }
}

#[test]
fn a_sector_that_the_child_did_not_write_is_the_parents() {
    let mut child = Vhd::child_of(&parent(), "child.vhd");
    child.empty_blocks = vec![0];
    child.stale = true;
    assert_found(parent(), child);
}

#[test]
fn thirty_layers_are_read_and_endless_ones_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut images = vec![parent()];
    for number in 1..70 {
        let child = Vhd::child_of(&images[number - 1], &format!("{number:02}.vhd"));
        images.push(child.with(Write::data(number as u64, 1)));
    }
    let truth = Chain(images);
    truth.write_to(directory.path()).unwrap();
    let truth30 = Chain(truth.0[..30].to_vec());
    assert_exact(&open(&directory.path().join("29.vhd")).unwrap(), &truth30);
    assert!(open(&directory.path().join("63.vhd")).is_ok());
    let (status, sentence) = failure_in(directory.path(), &truth.0[64].build());
    assert_eq!(status as u8, 4);
    assert_eq!(
        sentence,
        "01.vhd: the chain of parents is too long: found one more, expected at most 64 images"
    );
}

#[test]
fn a_loop_is_found_at_once_whatever_the_file_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let child = child_of(&parent());
    std::os::unix::fs::symlink("child.vhd", directory.path().join("parent.vhd")).unwrap();
    let (status, sentence) = failure_in(directory.path(), &child.build());
    assert_eq!(status as u8, 3);
    assert!(
        sentence.starts_with("child.vhd: the chain is a loop: found the parent parent.vhd"),
        "{sentence}"
    );
}

#[test]
fn a_parent_with_another_unique_id_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Vhd { unique_id: [7; 16], ..parent() }.build().write_to(directory.path()).unwrap();
    let (status, sentence) = failure_in(directory.path(), &child_of(&parent()).build());
    assert_eq!(status as u8, 3);
    assert_eq!(
        sentence,
        "child.vhd: the parent parent.vhd is another image: found the unique id \
         07070707-0707-0707-0707-070707070707, expected 70617265-6e74-2e76-6864-5a5a5a5a5a5a"
    );
}

#[test]
fn without_its_parents_a_child_shows_only_its_own_sectors() {
    let directory = tempfile::tempdir().unwrap();
    let path = child_of(&parent()).build().write_to(directory.path()).unwrap();
    let chain = open_alone(&path).unwrap();
    let own = extents(&chain, Granularity::Sector).unwrap();
    let data: Vec<(u64, u64)> = own
        .iter()
        .filter(|extent| extent.is_data())
        .map(|extent| (extent.start / 512, extent.length / 512))
        .collect();
    assert_eq!(data, [(2, 1), (4, 1), (40, 2)]);
}

#[test]
fn an_empty_child_shows_its_parent() {
    let directory = tempfile::tempdir().unwrap();
    let truth = Chain(vec![parent(), Vhd::child_of(&parent(), "child.vhd")]);
    assert_eq!(intervals(&truth.write_to(directory.path()).unwrap()), "[[0,1]]");
}

/// A chain of three over blocks 1 and 3, of which block 1 comes last in both lower files.
fn with_block_1_last(directory: &std::path::Path, hiding: Write) -> Chain {
    let build = |shuffle| {
        let mut base = Vhd::dynamic("base.vhd", 4 << 13).with(Write::data(16, 9)).with(Write::data(48, 16));
        (base.block_bits, base.shuffle) = (13, shuffle);
        let mut middle = Vhd::child_of(&base, "middle.vhd").with(Write::data(18, 1)).with(Write::data(50, 1));
        middle.shuffle = shuffle;
        let top = Vhd::child_of(&middle, "top.vhd").with(hiding);
        Chain(vec![base, middle, top])
    };
    let is_right = |chain: &Chain| {
        chain.0[..2].iter().all(|image| {
            let alone = open_alone(&image.build().write_to(directory).unwrap()).unwrap();
            let extents = extents(&alone, Granularity::Sector).unwrap();
            let data: Vec<_> = extents.iter().filter(|extent| extent.is_data()).collect();
            let (first, last) = (data.first().unwrap(), data.last().unwrap());
            let offset = |extent: &Extent| match extent.content {
                Content::Data(Stored::Plain { offset }) => offset,
                _ => 0,
            };
            offset(first) > offset(last)
        })
    };
    (0..100).map(build).find(is_right).unwrap()
}

#[test]
fn a_bitmap_is_read_only_where_it_can_decide() {
    let directory = tempfile::tempdir().unwrap();
    for hiding in [Write::data(16, 16), Write::data(16, 15)] {
        let truth = with_block_1_last(directory.path(), hiding);
        let chain = open(&truth.write_to(directory.path()).unwrap()).unwrap();
        // Once the BAT is checked, the last block goes, with its bitmap, and the footer.
        for image in &truth.0[..2] {
            let file = std::fs::File::options().write(true).open(directory.path().join(&image.name)).unwrap();
            file.set_len(image.build().bytes.len() as u64 - 512 - (8 << 10) - 512).unwrap();
        }
        let walk = chain.extents(Granularity::Sector).unwrap();
        let read = walk.map_while(Result::ok).map(|extent| extent.end()).last();
        assert_eq!(read == Some(4 << 13), hiding.sectors == 16, "{read:?}");
    }
}
