//! The place of a disk in a machine as metadata names it, and when two names are of one place.
//!
//! Source: xapi's `device_number.ml`, `of_string`, and `xapi_vbd_helpers.ml`, `valid_device`.

/// The highest disk number of Xen's own bus.
const MAX_XEN_DISK: u64 = (1 << 20) - 1;

/// Numbers below this are of IDE disks for an HVM guest, and of Xen's own bus for a PV guest.
const IDE_DISKS: u64 = 4;

/// How a guest sees a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bus {
    Xen,
    Scsi,
    Floppy,
    Ide,
}

/// What a `userdevice` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Userdevice {
    /// A place of its own. A number stands for both names that guests may have for it: `0` is `hda` and `xvda`.
    At {
        /// The bus by which a guest sees it.
        bus: Bus,
        /// Counted from 0 on the bus.
        disk: u64,
        /// 0 is the whole disk.
        partition: u64,
    },
    /// The host chooses, or has no place for a number: no clash with others can be known.
    Anywhere,
}

impl Userdevice {
    /// Reads `autodetect`, a number, or a name such as `xvda`, `hdb` or `sda1`; none if it is none of these.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "autodetect" {
            return Some(Userdevice::Anywhere);
        }
        if let Ok(number) = text.parse::<i64>() {
            let disk = u64::try_from(number).ok().filter(|disk| *disk <= MAX_XEN_DISK);
            return Some(disk.map_or(Userdevice::Anywhere, |disk| Userdevice::at(Bus::Xen, disk, 0)));
        }
        let (bus, rest) = [("xvd", Bus::Xen), ("sd", Bus::Scsi), ("fd", Bus::Floppy), ("hd", Bus::Ide)]
            .into_iter()
            .find_map(|(name, bus)| Some((bus, text.strip_prefix(name)?)))?;
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let letters = rest.strip_suffix(digits).filter(|letters| !letters.is_empty())?;
        // a is 0, z 25, aa 26.
        let letter = |c: u8| u64::from(c - b'a') + 1;
        let disk = letters.bytes().try_fold(0_u64, |disk, c| disk.checked_mul(26)?.checked_add(letter(c)))?;
        let partition = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        Some(Userdevice::at(bus, disk - 1, partition))
    }

    fn at(bus: Bus, disk: u64, partition: u64) -> Self {
        let bus = if bus == Bus::Ide && disk < IDE_DISKS { Bus::Xen } else { bus };
        Userdevice::At { bus, disk, partition }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_place_are_one() {
        let parse = |text| Userdevice::parse(text).unwrap();
        for (one, other) in
            [("0", "xvda"), ("0", "hda"), ("xvda", "hda"), ("3", "hdd"), ("26", "xvdaa"), ("01", "1")]
        {
            assert_eq!(parse(one), parse(other), "{one} {other}");
        }
        for (one, other) in
            [("0", "1"), ("0", "sda"), ("0", "fda"), ("4", "hde"), ("xvda", "xvda1"), ("xvdz", "xvdaa")]
        {
            assert_ne!(parse(one), parse(other), "{one} {other}");
        }
        for anywhere in ["autodetect", "-1", "1048576"] {
            assert_eq!(parse(anywhere), Userdevice::Anywhere, "{anywhere}");
        }
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in ["", "x", "xvd", "hd1", "sdA", "xvda-1", "xvda1p2", "disk", "0 ", "cdrom", "Autodetect"] {
            assert_eq!(Userdevice::parse(text), None, "{text:?}");
        }
        assert_eq!(Userdevice::parse(&format!("xvd{}", "z".repeat(99))), None);
    }
}
