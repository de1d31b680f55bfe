//! Disk to archive. A [source] is opened, and yields [jobs](job) or a [stream](block_stream): the [feed] of the workers, who
//! [read](reader) blocks and make them [members](member_pair), which the writer puts into the archive in order. The [copy] is
//! all of this at work.
//!
//! This room knows `xva`, `host` and `ova`.

pub mod block_stream;
pub mod copy;
pub mod decompressor;
pub(crate) mod disk_plan;
pub mod feed;
pub mod files;
pub mod job;
pub mod map_plan;
pub mod measure;
pub mod member_pair;
pub mod reader;
pub mod report;
pub mod sealing;
pub mod source;
pub(crate) mod workers;
pub(crate) mod writer;
