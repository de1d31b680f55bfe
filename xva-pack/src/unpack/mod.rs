//! An XVA, read in one pass as xapi's importer reads it: which disks are in it, whether every checksum is right, and
//! what the importer would refuse.
//!
//! [`read`] walks the members of a tar from an [`Input`], finds where each block of a disk belongs, hands its bytes to
//! a [`Sink`], and reports every departure from the format as a [`Finding`]. A block is held, never a disk.

mod disk_state;
mod finding;
mod findings;
mod input;
mod members;
mod placement;
mod walk;

pub use disk_state::DiskReport;
pub use finding::{Finding, Severity};
pub use findings::{Findings, Policy};
pub use input::Input;
pub use walk::{Archive, Options, Sink, read, read_ova};

pub mod raw_output;
mod sparse_file;
pub mod table;
pub mod task;
