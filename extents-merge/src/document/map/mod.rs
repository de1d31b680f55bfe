//! The map: the array of `qemu-img map --output=json`, and beside every offset the file that it belongs to.
//!
//! ```json
//! [{ "start": 0, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "compressed": false,
//!    "offset": 327680, "filename": "disk.qcow2"},
//!  { "start": 65536, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "compressed": true,
//!    "offset": 393216, "filename": "disk.qcow2", "host_length": 512, "compression": "zlib", "cluster_size": 65536, "skip": 0}]
//! ```
//!
//! It is [written](writer) and read here, and [followed](located) by whoever wants the bytes that it leads to.

pub mod located;
pub(crate) mod reader;
pub mod writer;
