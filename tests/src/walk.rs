//! What the tests of both formats do with a walk over a chain: see that it covers the disk, and change a file in its middle.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a walk that is not what it should be ends the test that looks at it"
)]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use extents::extent::Extent;
use extents::failure::{Failure, Status};

/// The extents of a walk, which must follow each other without a gap from byte 0 to byte `virtual_size`.
pub fn covering(
    walk: impl Iterator<Item = Result<Extent, Failure>>,
    virtual_size: u64,
) -> Result<Vec<Extent>, Failure> {
    let extents = walk.collect::<Result<Vec<_>, _>>()?;
    let mut end = 0;
    for extent in &extents {
        assert!(extent.start == end && extent.length > 0, "{extent:?} does not begin at {end}");
        end = extent.end();
    }
    assert_eq!(end, virtual_size, "the end of the last extent");
    Ok(extents)
}

/// For each unit of 2^`bits` bytes whether an extent of data touches it.
pub fn units(extents: &[Extent], bits: u32) -> Vec<bool> {
    let data = extents.iter().filter(|extent| extent.is_data());
    touched(data.map(|extent| extent.start..extent.end()), extents.last().map_or(0, Extent::end), bits)
}

/// For each unit of 2^`bits` bytes of a disk of `size` bytes whether one of the ranges, which have a length, touches it.
pub(crate) fn touched(ranges: impl Iterator<Item = std::ops::Range<u64>>, size: u64, bits: u32) -> Vec<bool> {
    let unit = |number: u64| usize::try_from(number).expect("disks of tests are small");
    let mut units = vec![false; unit(size.div_ceil(1 << bits))];
    for range in ranges {
        units[unit(range.start >> bits)..unit(range.end.div_ceil(1 << bits))].fill(true);
    }
    units
}

/// Takes `count` extents of the walk, makes `content` that of the file at `path`, and walks on.
pub fn changed_after(
    count: usize,
    mut walk: impl Iterator<Item = Result<Extent, Failure>>,
    path: &Path,
    content: &[u8],
) -> Result<(), Failure> {
    walk.by_ref().take(count).try_for_each(|extent| extent.map(drop))?;
    let file = OpenOptions::new().write(true).open(path).expect("the file is there");
    file.write_all_at(content, 0).expect("the file can be written to");
    file.set_len(content.len() as u64).expect("the file can be written to");
    walk.try_for_each(|extent| extent.map(drop))
}

/// Asserts that a walk ended because `what` of the file `name` changed meanwhile.
pub fn assert_noticed(walk: Result<(), Failure>, name: &str, what: &str) {
    let failure = walk.expect_err("a change that is noticed");
    let sentence = format!("{name}: changed while it was read: {what} is no longer what it was; try again");
    assert!(failure.to_string().ends_with(&sentence), "{failure}");
    assert_eq!(failure.status(), Status::System);
}
