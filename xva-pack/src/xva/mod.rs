//! What an archive is: names and numbers of blocks, tar headers, checksums, CRC-32.

pub mod block;
pub mod checksum;
pub mod crc32;
pub(crate) mod extended_header;
pub(crate) mod member_name;
pub(crate) mod tar_header;
pub mod tar_member;
