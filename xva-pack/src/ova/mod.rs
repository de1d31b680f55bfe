//! The metadata of an XVA: `ova.xml`, one XML-RPC value that names the objects of a VM.
//!
//! ```text
//! bytes -> tokens -> parser -> value -> objects, required, enums, creation -> metadata -> promise
//! bytes <- writer <- value <- records, vm_record <- document <- vm, vm_disk, vm_network, platform
//! ```
//!
//! Reading: [`metadata::read`] tells which disks the importer expects in the archive, how long they are, and what the
//! importer would refuse; [`promise`] holds a disk that is about to be packed to that. Writing: [`document::to_xml`] makes
//! the least that every importer takes from a [`vm::Vm`].
//!
//! This room knows the room `xva` (names and sizes of blocks), and neither `pack` nor `unpack`.

pub(crate) mod creation;
pub mod disk;
pub mod document;
pub(crate) mod enums;
pub(crate) mod field_type;
pub mod generation_id;
pub mod mac;
pub mod metadata;
pub(crate) mod objects;
pub(crate) mod parser;
pub(crate) mod platform;
pub mod promise;
pub(crate) mod records;
pub(crate) mod required;
pub mod setting;
pub mod size;
pub(crate) mod tokens;
pub(crate) mod userdevice;
pub mod uuid;
pub(crate) mod value;
pub mod vm;
pub mod vm_disk;
pub mod vm_network;
pub(crate) mod vm_record;
pub(crate) mod writer;
