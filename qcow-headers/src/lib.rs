//! QCOW2 images as extents in guest order: which ranges are zeros, which are in the layer below, and where in which
//! file the others lie.
//!
//! [`chain::Chain`] is the whole answer; it lays [`layer::Layer`]s over one another. A layer walks its L1 and L2
//! tables a window at a time. What the bytes of each structure mean is decided in a file of its own, without I/O.

pub mod chain;
pub mod features;
pub mod first_cluster;
pub mod geometry;
pub mod header;
pub mod header_extension;
pub mod l1_table;
pub mod l2_table;
pub mod layer;
pub mod run_length;
mod seen_tables;
pub mod snapshot_table;
pub mod subcluster;
