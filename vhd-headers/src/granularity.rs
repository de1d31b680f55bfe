//! How fine the walk over a chain is.

/// What decides which part of a disk holds data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// The BAT: a block that is in the file counts whole, and no bitmap is read.
    Block,
    /// The sector bitmaps.
    Sector,
}
