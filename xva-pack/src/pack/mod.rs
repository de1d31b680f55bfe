//! Disk to archive.

pub mod clusters;
pub mod copy;
pub mod disk_plan;
pub mod extents_source;
pub mod files;
pub mod map_plan;
pub mod measure;
pub mod member_pair;
pub mod plan;
pub mod reader;
pub mod report;
pub mod source;
pub mod stream_plan;
pub mod workers;
pub mod writer;
