//! Archive to disk: an XVA, read in one pass as xapi's importer reads it. Which disks are in it, whether every checksum
//! is right, and what the importer would refuse.
//!
//! ```text
//! window -> input -> members -> walk -> sink: task -> raw_output -> sparse_file
//!                                |
//!                                +---> findings (what is wrong), report (what was found) -> table
//! ```
//!
//! [`walk::read`] goes over the members of a tar from an [`input::Input`], finds where each block of a disk belongs,
//! hands its bytes to a [`sink::Sink`], and reports every departure from the format to [`findings::Findings`]. A block is
//! held, never a disk. What `xva-unpack` does with the bytes is a [`task::Task`]; what `xva-headers` prints of the places is
//! [`disk_extents::DiskExtents`].
//!
//! This room knows the rooms `xva`, `host`, `ova`, `index` and `zstd`, and not `pack`.

pub mod answer;
pub(crate) mod directory;
pub mod disk_extents;
pub(crate) mod disk_state;
pub(crate) mod finding;
pub mod findings;
pub(crate) mod foreign;
pub mod frames;
pub mod input;
pub(crate) mod learned_sizes;
pub mod listing;
pub(crate) mod member;
pub(crate) mod members;
pub mod options;
pub mod output_name;
pub(crate) mod raw_output;
pub mod report;
pub mod sample;
pub mod sink;
pub(crate) mod sparse_file;
pub mod table;
pub mod task;
pub mod walk;
pub(crate) mod window;
