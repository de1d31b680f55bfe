//! What the four filters have in common: the extents document, the arithmetic on it, and the frame of a `main`.
//!
//! An image is walked once, as [`piece::Piece`]s in guest order; one layer is laid [over another](piece::Overlay),
//! and [`mod@print`] writes the walk as a document, a list or a map. A consumer [reads](dialect::Union) such documents
//! into a [`unit_set::UnitSet`], whatever dialect they are in.

pub mod confine;
pub mod dialect;
pub mod document;
pub mod failure;
pub mod filter;
pub mod holes;
pub mod image_file;
mod json_limits;
pub mod map;
pub mod piece;
pub mod print;
pub mod recheck;
pub mod rescale;
pub mod stdin;
pub mod stdout;
pub mod summary;
pub mod unit_set;
pub mod upstream;
pub mod window;
