//! XVA: a disk as members of a tar, one for each 1 MiB block that holds data, each followed by its checksum.
//!
//! A [plan](plan::Plan) yields the blocks to read, the [workers](workers) read and seal them, and the
//! [writer](writer) puts them out in order.

pub mod block;
pub mod checksum;
pub mod disk;
pub mod extents_source;
pub mod files;
pub mod member_pair;
pub mod pack;
pub mod pipe;
pub mod plan;
pub mod read_ahead;
pub mod reader;
pub mod tar_member;
pub mod workers;
pub mod writer;
