//! A disk of the machine that `ova-xml` describes, as people write it: `Ref:000=20G,name=system`.

use crate::ova::size::parse_size;
use crate::xva::block::{BLOCK, MAX_SIZE};
use crate::xva::member_name::Prefix;

/// A disk of a machine to be described: one that an archive can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmDisk {
    prefix: String,
    virtual_size: u64,
    name: Option<String>,
}

impl VmDisk {
    /// The disk whose VDI has the id `prefix` and the label `name` (made of the machine's when there is none), of `size`
    /// bytes, which are rounded up to whole blocks.
    ///
    /// Refused (with the sentence): an id that cannot be the directory of a disk, and a size that no archive holds.
    pub fn new(prefix: &str, size: u64, name: Option<String>) -> Result<Self, String> {
        Prefix::parse(prefix).map_err(|what| format!("disk {prefix:?}: {what}"))?;
        // Ids of a living host; the importer takes OpaqueRef:NULL for no disk.
        if prefix.starts_with("OpaqueRef:") {
            return Err(format!(
                "disk {prefix} has a name that xapi keeps for itself: expected such as Ref:000"
            ));
        }
        if size == 0 || size > MAX_SIZE {
            return Err(format!(
                "disk {prefix} cannot be archived: found {size} bytes, expected 1 to {MAX_SIZE}"
            ));
        }
        Ok(VmDisk { prefix: prefix.to_owned(), virtual_size: size.next_multiple_of(BLOCK), name })
    }

    /// Reads `REF=SIZE[,name=NAME]`; the name is the rest of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (disk, name) = match text.split_once(",name=") {
            Some((disk, name)) => (disk, Some(name.to_owned())),
            None => (text, None),
        };
        let (prefix, size) =
            disk.rsplit_once('=').ok_or("expected REF=SIZE[,name=NAME], such as Ref:000=20G")?;
        VmDisk::new(prefix, parse_size(size)?, name)
    }

    /// The id of its VDI: the directory of its blocks in the archive.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Bytes that the archive must have of it: whole blocks.
    pub(crate) fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// `name_label`, if it has one of its own.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_disks_that_an_archive_can_hold_are_taken() {
        let long = format!("{}=1G", "x".repeat(83));
        for bad in [
            "Ref:0",
            "=1G",
            "../x=1G",
            "a/b=1G",
            "..=1G",
            "Ref:0=0",
            "Ref:0=96T",
            "OpaqueRef:NULL=1G",
            "OpaqueRef:1=1G",
            &long,
        ] {
            assert!(VmDisk::parse(bad).is_err(), "{bad}");
        }
        assert!(VmDisk::parse(&long[1..]).is_ok());
        assert_eq!(VmDisk::parse(&format!("Ref:0={MAX_SIZE}")).unwrap().virtual_size(), MAX_SIZE);
        assert!(VmDisk::parse(&format!("Ref:0={}", MAX_SIZE + 1)).is_err());
        assert_eq!(VmDisk::parse("Ref:0=1").unwrap().virtual_size(), BLOCK);
    }
}
