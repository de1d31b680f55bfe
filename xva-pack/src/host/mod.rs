//! The host that the programs run on: the progress of long work, pipes to the next program, what the kernel should read ahead
//! or forget, whether a file is standard output, and zeros.
//!
//! This room knows the library `extents`, and no other room.

pub(crate) mod page_cache;
pub mod pipe;
pub mod progress;
pub mod stdout;
pub(crate) mod zeros;
