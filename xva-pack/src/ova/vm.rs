//! The machine that `ova-xml` describes, and which machines no importer takes.

use crate::ova::generation_id::GenerationId;
use crate::ova::setting::{Setting, is_one_line, repeated};
use crate::ova::vm_disk::VmDisk;
use crate::ova::vm_network::VmNetwork;

/// Numbers of block devices of an HVM guest: 0 to 254.
pub(crate) const MAX_DISKS: usize = 255;

/// Number of the CD drive: the last of those that a guest without drivers sees, and where xapi's own templates put it.
pub(crate) const CD_DEVICE: usize = 3;

/// Keys of `other_config` that the importer takes away or reads as something else: one that has the last of them is a
/// template of the host's own, and is not imported.
const KEPT_BY_XAPI: [&str; 3] = ["grant_guest_api_access", "import_task", "default_template"];

/// Bytes; no HVM guest starts with less, and a forgotten suffix does not pass for a size.
pub(crate) const LEAST_MEMORY: u64 = MIB;

/// Bytes, of which the memory has whole ones.
const MIB: u64 = 1 << 20;

/// What starts the machine.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Firmware {
    /// What PCs had before UEFI
    #[default]
    Bios,
    /// What PCs have today
    Uefi,
}

/// A machine to be described. The default one is none yet: it has no memory, processors and disks.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each says another thing of the machine")]
pub struct Vm {
    /// `name_label`.
    pub name: String,
    /// `name_description`.
    pub description: String,
    /// Bytes of memory.
    pub memory: u64,
    /// Virtual processors.
    pub vcpus: u32,
    /// How many of them the guest sees in one socket; otherwise the host's choice, which is one.
    pub cores_per_socket: Option<u32>,
    /// BIOS or UEFI.
    pub firmware: Firmware,
    /// Secure boot, which only UEFI has.
    pub secure_boot: bool,
    /// A TPM, new and empty.
    pub vtpm: bool,
    /// In the order of their device numbers; the first one boots.
    pub disks: Vec<VmDisk>,
    /// The network cards, in the order of their device numbers.
    pub networks: Vec<VmNetwork>,
    /// A CD drive, empty.
    pub cd: bool,
    /// More entries of `platform`, or others than usual.
    pub platform: Vec<Setting>,
    /// Entries of `other_config`.
    pub other_config: Vec<Setting>,
    /// `tags`.
    pub tags: Vec<String>,
    /// `generation_id`.
    pub generation_id: GenerationId,
    /// A template, from which VMs are made.
    pub template: bool,
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
        if self.vtpm && self.firmware == Firmware::Bios {
            return Err("a BIOS has no TPM: expected --firmware uefi".to_owned());
        }
        let most = MAX_DISKS - usize::from(self.cd);
        if self.disks.len() > most {
            return Err(format!("too many disks: found {}, expected at most {most}", self.disks.len()));
        }
        let addresses: Vec<String> =
            self.networks.iter().filter_map(VmNetwork::mac).map(|mac| mac.to_string()).collect();
        for (what, there_twice) in [
            ("disk", repeated(self.disks.iter().map(VmDisk::prefix))),
            ("MAC address", repeated(addresses.iter().map(String::as_str))),
            ("tag", repeated(self.tags.iter().map(String::as_str))),
            ("the key of other-config", repeated(self.other_config.iter().map(Setting::key))),
        ] {
            if let Some(name) = there_twice {
                return Err(format!("{what} {name} is there twice"));
            }
        }
        for tag in &self.tags {
            is_one_line(tag)?;
        }
        if self.tags.iter().any(String::is_empty) {
            return Err("a tag is empty".to_owned());
        }
        match self.other_config.iter().find(|setting| KEPT_BY_XAPI.contains(&setting.key())) {
            Some(setting) => Err(format!(
                "other-config {}: xapi keeps this key for itself: expected another",
                setting.key()
            )),
            None => Ok(memory),
        }
    }

    /// The number of the device of the disk `index`, which counts from 0: the CD drive keeps its own.
    pub(crate) fn device(&self, index: usize) -> usize {
        index + usize::from(self.cd && index >= CD_DEVICE)
    }
}
