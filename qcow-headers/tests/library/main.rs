//! The library against images that were built byte by byte or by QEMU.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic, in its helpers too")]

mod chains;
mod files;
mod guest;
mod live;
mod overlaps;
mod qemu;
mod states;
