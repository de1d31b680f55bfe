//! Which disks an archive can hold so that the importer reads them back, and how many bytes it then has of them.

use extents::failure::Failure;

use crate::xva::block::{BLOCK, MAX_SIZE};
use crate::xva::tar_member::RECORD;

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
    pub(crate) fn archived_size(self, virtual_size: u64) -> Result<u64, Failure> {
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
    pub(crate) fn check_not_above(self, seen: u64) -> Result<(), Failure> {
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
}
