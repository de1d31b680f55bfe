//! Blocks, the unit of an XVA: their size, their numbers and names, and which disks cannot be cut into them.

use extents::extent::rescale::in_memory;
use extents::failure::Failure;

use crate::xva::checksum::Algorithm;
use crate::xva::tar_member::{MAX_NAME, RECORD};

/// Bytes of a block. xapi, Xen Orchestra and xva-img write no other size.
pub const BLOCK: u64 = 1 << BLOCK_BITS;

/// log2 of [`BLOCK`].
pub const BLOCK_BITS: u32 = 20;

/// [`BLOCK`] as the length of a slice.
pub const BLOCK_LEN: usize = 1 << BLOCK_BITS;

/// The highest block number. The importer compares names as strings, and a ninth digit would sort before the eighth.
pub const MAX_NUMBER: u64 = 99_999_999;

/// Bytes of the largest disk: 95.37 TiB.
pub const MAX_SIZE: u64 = (MAX_NUMBER + 1) * BLOCK;

/// The directory of a disk in the archive: the `id` of its VDI in `ova.xml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Refuses (with the sentence) what cannot be one directory of a V7 tar, or would leave it when unpacked.
    pub fn parse(text: &str) -> Result<Self, String> {
        let suffix = Algorithm::all().map(|algorithm| algorithm.suffix().len()).fold(0, usize::max);
        let longest = MAX_NAME - "/00000000".len() - suffix;
        if text.len() > longest {
            return Err(format!("found {} bytes, expected at most {longest}", text.len()));
        }
        if text.is_empty() || text == "." || text == ".." {
            return Err("expected the id of a VDI, such as Ref:0".to_owned());
        }
        if text.contains('/') || text.chars().any(char::is_control) {
            return Err(
                "found a slash or control character, expected the id of a VDI, such as Ref:0".to_owned()
            );
        }
        Ok(Prefix(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The member name of a block.
    pub fn block_name(&self, number: u64) -> String {
        format!("{}/{number:08}", self.0)
    }

    /// The member name of a block's checksum.
    pub fn checksum_name(&self, number: u64, algorithm: Algorithm) -> String {
        format!("{}/{number:08}{}", self.0, algorithm.suffix())
    }
}

/// What the last block may look like, and so which disks are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fit {
    /// `--pad`: the last block is filled up with zeros.
    pub pad: bool,
    /// `--no-trailer`: other disks follow in the archive.
    pub others_follow: bool,
    /// Bytes that `ova.xml` says the archive will hold of this disk.
    pub expected: Option<u64>,
}

impl Fit {
    /// Bytes that the archive holds of a disk of `virtual_size` bytes.
    ///
    /// Status 4 for a disk that an XVA cannot hold so that the importer reads it back; status 3 when `ova.xml`
    /// speaks of another size.
    pub fn archived_size(self, virtual_size: u64) -> Result<u64, Failure> {
        if virtual_size == 0 {
            return Err(Failure::unsupported(
                "the disk is empty: found 0 bytes, expected at least one block",
            ));
        }
        self.check_not_above(virtual_size)?;
        let archived = if self.pad { virtual_size.next_multiple_of(BLOCK) } else { virtual_size };
        if !archived.is_multiple_of(RECORD as u64) {
            return Err(Failure::unsupported(format!(
                "the importer cannot read such a disk: found {virtual_size} bytes, expected a multiple of 512; \
                 --pad fills the last block with zeros"
            )));
        }
        if self.others_follow && archived < BLOCK {
            return Err(Failure::unsupported(format!(
                "a disk below {BLOCK} bytes breaks the disks that follow it in the archive: found {virtual_size} \
                 bytes; --pad fills its block with zeros"
            )));
        }
        match self.expected {
            Some(expected) if expected != archived => Err(Failure::damaged(format!(
                "the disk is not the one in ova.xml: found {archived} bytes, expected virtual_size {expected}"
            ))),
            _ => Ok(archived),
        }
    }

    /// Refuses a disk of which only a part was seen, of `seen` bytes: status 4 for more blocks than eight digits
    /// can number, status 3 for more bytes than `ova.xml` promises.
    pub fn check_not_above(self, seen: u64) -> Result<(), Failure> {
        if seen > MAX_SIZE {
            return Err(Failure::unsupported(format!(
                "the disk is too large for an XVA: found {seen} bytes, expected at most {MAX_SIZE}"
            )));
        }
        match self.expected {
            Some(expected) if seen > expected => Err(Failure::damaged(format!(
                "the disk is not the one in ova.xml: found {seen} bytes or more, expected virtual_size {expected}"
            ))),
            _ => Ok(()),
        }
    }
}

/// Bytes of the block that begins at `start` before the end of the disk.
pub fn part(start: u64, end: u64) -> usize {
    in_memory(end.saturating_sub(start).min(BLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(pad: bool, others_follow: bool) -> Fit {
        Fit { pad, others_follow, expected: None }
    }

    #[test]
    fn disks_that_the_importer_cannot_read_are_refused() {
        for (size, pad, others_follow, archived) in [
            (0, true, false, None),
            (512, false, false, Some(512)),
            (512, false, true, None),
            (512, true, true, Some(BLOCK)),
            (BLOCK, false, true, Some(BLOCK)),
            (1_000_001, false, false, None),
            (1_000_001, true, false, Some(BLOCK)),
            (MAX_SIZE, true, false, Some(MAX_SIZE)),
            (MAX_SIZE + 512, false, false, None),
            (u64::MAX, true, false, None),
        ] {
            assert_eq!(
                fit(pad, others_follow).archived_size(size).ok(),
                archived,
                "{size} {pad} {others_follow}"
            );
        }
    }

    #[test]
    fn another_size_than_in_ova_xml_is_refused() {
        let fit = Fit { pad: true, others_follow: false, expected: Some(2 * BLOCK) };
        assert_eq!(fit.archived_size(BLOCK + 1), Ok(2 * BLOCK));
        assert_eq!(fit.archived_size(BLOCK).unwrap_err().status() as u8, 3);
    }

    #[test]
    fn a_disk_of_which_more_comes_than_can_be_is_refused_before_its_end() {
        let fit = Fit { pad: true, others_follow: false, expected: Some(2 * BLOCK) };
        assert_eq!(fit.check_not_above(2 * BLOCK), Ok(()));
        assert_eq!(fit.check_not_above(2 * BLOCK + 1).unwrap_err().status() as u8, 3);
        assert_eq!(fit.check_not_above(MAX_SIZE + 1).unwrap_err().status() as u8, 4);
    }

    #[test]
    fn a_prefix_is_one_directory_that_leaves_room_for_the_checksum_name() {
        for good in ["Ref:0", "a b", &"x".repeat(82)] {
            let prefix = Prefix::parse(good).unwrap();
            assert!(Algorithm::all().all(|kind| prefix.checksum_name(MAX_NUMBER, kind).len() <= MAX_NAME));
        }
        for bad in ["", "..", ".", "a/b", "a\nb", &"x".repeat(83)] {
            assert!(Prefix::parse(bad).is_err(), "{bad}");
        }
    }
}
