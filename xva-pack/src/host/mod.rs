//! The host that the programs run on: the progress of long work, pipes to the next program, what the kernel should read ahead
//! or forget, where an output goes, who uses a device, files that appear when they are whole, and zeros.
//!
//! This room knows the library `extents`, and no other room.

pub(crate) mod attributes;
pub(crate) mod destination;
pub(crate) mod mounts;
pub(crate) mod page_cache;
pub mod pipe;
pub mod progress;
pub mod progress_bar;
pub(crate) mod progress_line;
pub(crate) mod whole_file;
pub(crate) mod zeros;
