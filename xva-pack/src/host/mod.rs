//! The host: progress, pipes, hints to the kernel.

pub mod pipe;
pub mod progress;
pub(crate) mod read_ahead;
pub(crate) mod zeros;
