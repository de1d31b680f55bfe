//! The host: progress, pipes, hints to the kernel.

pub mod pipe;
pub mod progress;
pub mod read_ahead;
pub mod stdout;
