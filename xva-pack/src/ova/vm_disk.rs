//! A disk of the machine that `ova-xml` describes, as people write it: `Ref:000=20G,name=system`.

use extents::extent::rescale::units;

use crate::xva::block::{BLOCK, BLOCK_BITS, MAX_SIZE, Prefix};

/// A disk of a machine to be described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmDisk {
    /// The id of its VDI: the directory of its blocks in the archive.
    pub prefix: String,
    /// Bytes, before they are rounded up.
    pub size: u64,
    /// `name_label`; made of the machine's when there is none.
    pub name: Option<String>,
}

impl VmDisk {
    /// Reads `REF=SIZE[,name=NAME]`; the name is the rest of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (disk, name) = match text.split_once(",name=") {
            Some((disk, name)) => (disk, Some(name.to_owned())),
            None => (text, None),
        };
        let (prefix, size) =
            disk.rsplit_once('=').ok_or("expected REF=SIZE[,name=NAME], such as Ref:000=20G")?;
        let disk = VmDisk { prefix: prefix.to_owned(), size: parse_size(size)?, name };
        disk.check()?;
        Ok(disk)
    }

    /// Bytes that the archive must have of it.
    pub(crate) fn virtual_size(&self) -> u64 {
        round_up(self.size).unwrap_or(u64::MAX)
    }

    /// Says what is wrong with the disk.
    pub(crate) fn check(&self) -> Result<(), String> {
        let VmDisk { prefix, size, .. } = self;
        Prefix::parse(prefix).map_err(|what| format!("disk {prefix:?}: {what}"))?;
        // Ids of a living host; the importer takes OpaqueRef:NULL for no disk.
        if prefix.starts_with("OpaqueRef:") {
            return Err(format!(
                "disk {prefix} has a name that xapi keeps for itself: expected such as Ref:000"
            ));
        }
        if *size == 0 || *size > MAX_SIZE {
            return Err(format!(
                "disk {prefix} cannot be archived: found {size} bytes, expected 1 to {MAX_SIZE}"
            ));
        }
        Ok(())
    }
}

/// Whole blocks, of which importers want the disks to be.
pub(crate) fn round_up(bytes: u64) -> Option<u64> {
    units(bytes, BLOCK_BITS).checked_mul(BLOCK)
}

/// Reads a number of bytes, with K, M, G, T or P for powers of 1024, in either case, also as KiB.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let refused = || format!("found {text:?}, expected bytes, or such as 512M, 20G, 1T");
    let lower = text.to_ascii_lowercase();
    let short = lower.strip_suffix("ib").unwrap_or(&lower);
    let digits = short.trim_end_matches(['k', 'm', 'g', 't', 'p']);
    let factor = match short.get(digits.len()..) {
        Some("") if short == lower => 1,
        Some("k") => 1 << 10,
        Some("m") => 1 << 20,
        Some("g") => 1 << 30,
        Some("t") => 1 << 40,
        Some("p") => 1_u64 << 50,
        _ => return Err(refused()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    digits.parse().ok().and_then(|number: u64| number.checked_mul(factor)).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("512", 512),
            ("1k", 1024),
            ("3M", 3 << 20),
            ("2GiB", 2 << 30),
            ("20g", 20 << 30),
            ("1T", 1 << 40),
            ("1P", 1 << 50),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "G", "1.5G", "-1", "+1", "1Gb", "1 G", "99999999P", "1ib", "0x10", "1kk"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
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
        assert!(VmDisk::parse(&format!("Ref:0={MAX_SIZE}")).is_ok());
        assert!(VmDisk::parse(&format!("Ref:0={}", MAX_SIZE + 1)).is_err());
    }
}
