//! XVA: a disk as members of a tar, one for each 1 MiB block that holds data, each followed by its checksum.

pub mod host;
pub mod ova;
pub mod pack;
pub mod unpack;
pub mod xva;
