//! The machine that `ova-xml` describes, and which machines no importer takes.

use std::collections::BTreeSet;

use crate::ova::vm_disk::VmDisk;

/// Numbers of block devices of an HVM guest: 0 to 254.
pub(crate) const MAX_DISKS: usize = 255;

/// Bytes; no HVM guest starts with less, and a forgotten suffix does not pass for a size.
pub(crate) const LEAST_MEMORY: u64 = MIB;

/// Bytes, of which the memory has whole ones.
const MIB: u64 = 1 << 20;

/// What starts the machine.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// `SeaBIOS`
    Bios,
    /// OVMF
    Uefi,
}

/// A machine to be described.
#[derive(Clone, Debug)]
pub struct Vm {
    /// `name_label`.
    pub name: String,
    /// `name_description`.
    pub description: String,
    /// Bytes of memory.
    pub memory: u64,
    /// Virtual processors.
    pub vcpus: u32,
    /// BIOS or UEFI.
    pub firmware: Firmware,
    /// Secure boot, which only UEFI has.
    pub secure_boot: bool,
    /// In the order of their device numbers; the first one boots.
    pub disks: Vec<VmDisk>,
    /// A label for each network card.
    pub networks: Vec<String>,
}

impl Vm {
    /// Says what is wrong with the machine; otherwise yields the memory that it gets, in bytes: whole MiB.
    pub(crate) fn check(&self) -> Result<i64, String> {
        if self.memory == 0 || self.vcpus == 0 {
            return Err("the machine needs memory and at least one processor: found 0".to_owned());
        }
        if self.memory < LEAST_MEMORY {
            return Err(format!(
                "the machine needs more memory: found {} bytes, expected at least {LEAST_MEMORY}; 2G is 2 GiB",
                self.memory
            ));
        }
        let memory = self.memory.checked_next_multiple_of(MIB).and_then(|bytes| i64::try_from(bytes).ok());
        let memory = memory.ok_or("the memory is too large")?;
        if self.secure_boot && self.firmware == Firmware::Bios {
            return Err("a BIOS has no secure boot: expected --firmware uefi".to_owned());
        }
        if self.networks.iter().any(String::is_empty) {
            return Err("the label of a network is empty".to_owned());
        }
        if self.disks.len() > MAX_DISKS {
            return Err(format!("too many disks: found {}, expected at most {MAX_DISKS}", self.disks.len()));
        }
        let mut prefixes = BTreeSet::new();
        match self.disks.iter().find(|disk| !prefixes.insert(disk.prefix())) {
            Some(disk) => Err(format!("disk {} is there twice", disk.prefix())),
            None => Ok(memory),
        }
    }
}
