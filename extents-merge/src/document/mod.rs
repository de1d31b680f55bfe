//! Documents about a disk: intervals, lists and maps, written and read.

mod dialect;
pub mod failed_stage;
pub mod interval_writer;
mod json_limits;
pub mod map;
pub mod print;
pub mod summary;
pub mod union;
