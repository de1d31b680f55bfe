//! The map: the array of `qemu-img map --output=json`, and beside every offset the file that it belongs to.
//!
//! ```json
//! [{ "start": 0, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "compressed": false,
//!    "offset": 327680, "filename": "disk.qcow2"},
//!  { "start": 65536, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "compressed": true,
//!    "offset": 393216, "filename": "disk.qcow2", "host_length": 512, "compression": "zlib", "cluster_size": 65536, "skip": 0}]
//! ```
//!
//! The first entry that names a file also says in which state the file was opened, before its first table was read:
//!
//! ```json
//! "state": {"st_size": "458752", "st_dev": "2049", "st_ino": "131", "st_mtime_ns": "1700000000000000000",
//!   "st_ctime_ns": "1700000000000000000"}
//! ```
//!
//! or, of a block device, `"state": {"device_size": "10737418240"}`. Whoever reads the bytes must find the file in this state
//! when it opens it, and the file and what its name leads to in this state when it has read the last one.
//!
//! The first entry of all says the size of the disk in bytes, `"virtual_size": 10737418240`, so that whoever follows the map knows
//! how far it is. The map ends there.
//!
//! It is [written](writer) and read here, and [followed](located) by whoever wants the bytes that it leads to.

pub mod entry;
pub mod file_state;
pub mod located;
pub(crate) mod reader;
pub mod writer;
