//! Disk to archive. A [source](source) is opened, and yields [jobs](job) or a [stream](block_stream): the [feed](feed) of the
//! [workers](workers), who [read](reader) blocks and make them [members](member_pair), which the [writer](writer) puts into the
//! archive in order. The [copy](copy) is all of this at work.
//!
//! This room knows `xva`, `host` and `ova`.

pub mod block_stream;
pub mod clusters;
pub mod copy;
pub mod disk_plan;
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
pub mod workers;
pub mod writer;
