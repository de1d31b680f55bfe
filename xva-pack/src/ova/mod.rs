//! The metadata of an XVA: `ova.xml`, one XML-RPC value that names the VM's objects.
//!
//! [`read`] tells which disks the importer expects in the archive and how long they are; [`Vm::to_xml`] writes the
//! least that every importer takes.

mod disks;
mod kind;
mod objects;
mod parser;
pub mod promise;
mod records;
mod required;
mod tokens;
mod uuid;
mod value;
mod vm;
mod vm_disk;
mod writer;

pub use disks::{Disk, Ova, read};
pub use uuid::uuid;
pub use vm::{Firmware, Vm};
pub use vm_disk::{VmDisk, parse_size};

/// Name of the member: exactly this, and the first of the archive.
pub const FILE_NAME: &str = "ova.xml";

/// Bytes of metadata that are read. A VM with thirty snapshots has less than 1 MiB, and up to 128 KiB more for each
/// that holds UEFI variables.
pub const MAX_BYTES: usize = 8 << 20;
