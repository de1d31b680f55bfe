//! What the four filters have in common: the extents document, the arithmetic on it, and the frame of a `main`.
//!
//! An image is walked once, as [`extent::Extent`]s in guest order; one layer is laid [over another](extent::Overlay),
//! and [`document::print`] writes the walk as a document, a list or a map. A consumer [reads](document::union::Union) such documents
//! into a [`extent::unit_set::UnitSet`], whatever dialect they are in.

pub mod document;
pub mod extent;
pub mod failure;
pub mod frame;
pub mod image;
