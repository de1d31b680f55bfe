//! What is said about a disk: three [forms](print::Form) that are [printed](mod@print), and every [dialect] of them
//! that is read, into a [union](union::Union). A filter that failed leaves [a mark](failed_stage) in its unfinished document.

pub mod dialect;
pub mod failed_stage;
pub mod interval_writer;
mod json_limits;
mod json_text;
pub mod map;
pub mod print;
pub mod summary;
pub mod union;
mod union_builder;
