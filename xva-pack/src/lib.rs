//! XVA: a disk as members of a tar, one for each 1 MiB block that holds data, each followed by its checksum.
//!
//! Packing: a [plan](plan::Plan) yields the blocks to read, the [`workers`] read and seal them, and the
//! [`writer`] puts them out in order.

pub mod archive_reader;
pub mod block;
pub mod checksum;
pub mod cluster;
pub mod crc32;
pub mod disk;
pub mod disk_table;
pub mod extents_source;
pub mod files;
pub mod map_source;
pub mod measure;
pub mod member_pair;
pub mod ova_check;
pub mod ova_xml;
pub mod pack;
pub mod pipe;
pub mod plan;
pub mod progress;
pub mod raw_output;
pub mod read_ahead;
pub mod reader;
pub mod report;
pub mod source;
pub mod stdin;
pub mod stream;
pub mod tar_member;
pub mod unpack;
pub mod workers;
pub mod writer;
