//! What the user wants of an archive, disk by disk.

use std::collections::BTreeSet;

use extents::failure::Failure;

use crate::unpack::sample::Sample;

/// Disks that a sentence names.
const MAX_NAMES: usize = 10;

/// What is read of an archive.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Stop when this disk is complete.
    pub only: Option<String>,
    /// Bytes that are wanted of a disk, whose archived form was padded.
    pub sizes: Vec<(String, u64)>,
    /// Blocks whose checksums are compared although their disk is passed over. The first one of each disk is, too.
    pub sample: Option<Sample>,
}

impl Options {
    /// Bytes that are wanted of the disk `prefix`, if not all.
    pub(crate) fn size_of(&self, prefix: &str) -> Option<u64> {
        self.sizes.iter().find(|(disk, _)| disk == prefix).map(|&(_, size)| size)
    }

    /// Refuses (status 2) options about disks that are not among those of the archive.
    pub(crate) fn check_names<'a>(&self, disks: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let disks: BTreeSet<&str> = disks.collect();
        let mut named = self.sizes.iter().map(|(disk, _)| disk).chain(&self.only);
        let Some(disk) = named.find(|disk| !disks.contains(disk.as_str())) else { return Ok(()) };
        let found: Vec<&str> = disks.into_iter().take(MAX_NAMES).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        Err(Failure::usage(format!("has no disk {disk}: found {found}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_no_disk_is_refused_and_the_first_ten_of_the_archive_are_shown() {
        let options =
            Options { only: Some("b".to_owned()), sizes: vec![("a".to_owned(), 512)], sample: None };
        assert_eq!((options.size_of("a"), options.size_of("b")), (Some(512), None));
        assert_eq!(options.check_names(["b", "a"].into_iter()), Ok(()));
        let said = |disks: &[&str]| options.check_names(disks.iter().copied()).unwrap_err().to_string();
        assert_eq!(said(&["a"]), "has no disk b: found a");
        assert_eq!(said(&[]), "has no disk a: found none");
        let many = ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"];
        assert_eq!(said(&many), "has no disk a: found 00, 01, 02, 03, 04, 05, 06, 07, 08, 09");
    }
}
