//! What is said about a disk: three [forms](print::Form) that are [printed](mod@print), and every dialect of them that
//! is read, into a [union](union::Union). A filter that failed leaves a mark in its unfinished document ([`failed_stage`]).

mod collected;
mod dialect;
pub mod document_writer;
pub mod failed_stage;
mod json_limits;
mod json_text;
pub mod map;
pub mod print;
pub mod summary;
pub mod union;
