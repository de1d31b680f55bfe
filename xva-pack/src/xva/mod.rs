//! What an XVA is: a tar of blocks and checksums, down to the last byte.
//!
//! | File | Knows |
//! |---|---|
//! | [`block`] | the 1 MiB block, and how large a disk of blocks can be |
//! | [`fit`] | which disks cannot be cut into blocks |
//! | [`checksum`] | the kinds of checksum that follow a block |
//! | [`member_name`] | the names of blocks and checksums, written and read |
//! | `placement` | at which guest byte a block belongs, by the numbers of those before it |
//! | [`tar_member`] | the tar header as xapi writes it |
//! | `tar_header`, `extended_header` | the tar headers that reach an importer |
//! | `crc32` | the CRC-32 of a whole disk, of which only some blocks are read |
//!
//! Nothing in this room reads or writes files. It knows no other room.

pub mod block;
pub mod checksum;
pub(crate) mod crc32;
pub(crate) mod extended_header;
pub mod fit;
pub mod member_name;
pub(crate) mod placement;
pub(crate) mod tar_header;
pub mod tar_member;
