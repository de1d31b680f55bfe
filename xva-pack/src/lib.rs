//! XVA: a disk as members of a tar, one for each 1 MiB block that holds data, each followed by its checksum.

pub mod archive_reader;
pub mod checksum;
pub mod crc32;
pub mod disk_table;
pub mod ova_xml;
pub mod progress;
pub mod raw_output;
pub mod tar_member;
pub mod unpack;
