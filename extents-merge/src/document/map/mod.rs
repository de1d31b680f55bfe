//! The map.

pub mod writer;
