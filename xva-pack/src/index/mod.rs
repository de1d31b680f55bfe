//! An archive as an image: where in it the bytes of a disk are.
//!
//! Arithmetic alone, on what the walk over an archive finds. This room knows the library `extents`, and no other room.

pub mod tar_extents;
