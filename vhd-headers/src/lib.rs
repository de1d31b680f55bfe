//! VHD images, read: which bytes of the guest lie where in which file of a chain.
//!
//! A [`Chain`](chain::Chain) is an image and its parents, each a [`Layer`](layer::Layer):
//!
//! ```text
//! chain ─ layer ┬ footer_search ─ footer                   how large the disk is, and where the header lies
//!               └ sparse ┬ dynamic_header ─ parent_locator   where the BAT lies, and how the parent is called
//!                        ├ bat, bat_check                   which block begins at which sector of the file
//!                        └ sector_extents ─ sector_bitmap, batmap
//! ```
//!
//! What a chain says comes out as [`Extent`](extents::extent::Extent)s in guest order:
//!
//! ```
//! use extents::image::confinement::Confinement;
//! use extents::image::file::ImageFile;
//! use vhd_headers::chain::{Chain, Options};
//! use vhd_headers::granularity::Granularity;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use image_builders::vhd::{Vhd, Write};
//! # let folder = tempfile::tempdir()?;
//! # let path = Vhd::dynamic("disk.vhd", 8 << 20).with(Write::data(5000, 3)).build().write_to(folder.path())?;
//! // A disk of 8 MiB, of which only block 1 was written to.
//! let confinement = Confinement::new(Some(&path), &[])?;
//! let chain = Chain::open(ImageFile::open(&path)?, &confinement, Options { parents: true })?;
//! for extent in chain.extents(Granularity::Block)? {
//!     let extent = extent?;
//!     assert_eq!(extent.is_data(), extent.start == 2 << 20);
//! }
//! # Ok(())
//! # }
//! ```

mod bat;
mod bat_check;
mod batmap;
mod blocks;
mod body;
pub mod chain;
mod checksum;
mod dynamic_header;
mod footer;
mod footer_search;
pub mod granularity;
pub mod layer;
mod parent_locator;
mod parent_names;
mod sector_bitmap;
mod sector_extents;
mod sparse;
