//! zstd in frames: an archive cut into pieces of which each is a frame, so that it can be read from the middle, on all
//! processors, and a block that did not change is the same bytes in the next backup.
//!
//! ```text
//! tar_input -> tar_cut -> compress -> frame_output  (an archive into frames; `in_order` spreads the work)
//! source -> frame_feed -> chunk -> expand           (and back, whoever wrote them; gzip goes the same way)
//! ```
//!
//! | File | Knows |
//! |---|---|
//! | `frame_header` | the headers of frames and of their blocks |
//! | `frame_walk` | from frame to frame, in a stream or by position |
//! | `seek_table` | the table of zstd's seekable format |
//! | `in_order` | work by several threads whose results come back in order |
//! | `tar_input` | an archive member by member, every byte of it kept |
//! | `tar_cut` | where an archive is cut into pieces |
//! | `foreign` | what is no archive, for the sentence |
//! | `frame_output` | what is written when, so that nothing that was cut off passes for whole |
//! | [`compress`] | an archive into frames |
//! | `source` | the bytes of a compressed archive, from a file or pipe |
//! | `frame_feed`, `gzip_feed` | what of it is decompressed next |
//! | `chunk` | a part of its content |
//! | `expand` | its content in order |
//!
//! This room knows the rooms `xva` and `host`.

pub(crate) mod chunk;
pub mod compress;
pub(crate) mod expand;
pub(crate) mod foreign;
pub(crate) mod frame_feed;
pub(crate) mod frame_header;
pub(crate) mod frame_output;
pub(crate) mod frame_walk;
pub(crate) mod gather;
pub(crate) mod gzip_feed;
pub(crate) mod in_order;
pub(crate) mod seek_table;
pub(crate) mod source;
pub(crate) mod tar_cut;
pub(crate) mod tar_input;
