//! QCOW2 images, read: which bytes of the guest lie where in which file of a chain.
//!
//! A [`Chain`](chain::Chain) is an image and its backing files, each a [`Layer`](layer::Layer):
//!
//! ```text
//! chain ─ layer ┬ named_files                                   backing file and external data file
//!               ├ tables ┬ first_cluster ┬ header, features      what the image asks of its reader
//!               │        │               ├ header_extension      how the files that it names are called
//!               │        │               └ geometry              sizes and rules
//!               │        └ l1_table                              where the L2 tables lie
//!               └ table_walk ┬ l2_table, subcluster              where each cluster lies
//!                            └ occupied ─ cluster_set            that nothing else lies there
//! ```
//!
//! What a chain says comes out as [`Extent`](extents::extent::Extent)s in guest order:
//!
//! ```
//! use extents::image::confinement::Confinement;
//! use extents::image::file::ImageFile;
//! use qcow_headers::chain::{Chain, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use image_builders::qcow2::{Cluster, Image};
//! # let folder = tempfile::tempdir()?;
//! # let mut image = Image::new("disk.qcow2", 8 << 20);
//! # image.set(16, Cluster::Data);
//! # let path = image.write_to(folder.path())?;
//! // A disk of 8 MiB in clusters of 64 KiB, of which only cluster 16 was written to.
//! let confinement = Confinement::new(Some(&path), &[])?;
//! let options = Options { backing: true, backing_format: None, data: true };
//! let chain = Chain::open(ImageFile::open(&path)?, &confinement, options)?;
//! for extent in chain.extents() {
//!     let extent = extent?;
//!     assert_eq!(extent.is_data(), extent.start == 1 << 20);
//! }
//! # Ok(())
//! # }
//! ```

pub mod chain;
mod cluster_set;
mod features;
mod first_cluster;
pub mod format;
mod geometry;
mod header;
mod header_extension;
mod l1_table;
mod l2_table;
pub mod layer;
mod named_files;
mod occupied;
mod refcount_table;
mod run_length;
mod seen_tables;
mod snapshot_table;
mod subcluster;
mod table_walk;
mod tables;
