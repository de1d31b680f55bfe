//! What the filters have in common: a disk as extents, the documents that say where its data is, the files that users and
//! images name, and the frame of every `main`.
//!
//! ```text
//!                  ┌─ document ─┐
//! failure ─ extent ┤            ├─ frame ─ main          a room knows what is left of it
//!                  └─ image ────┘
//! ```
//!
//! An image is walked once, as [`Extent`](extent::Extent)s in guest order, and [printed](document::print::Printer) in one of three
//! forms. A consumer [reads](document::union::Union) such documents, whatever dialect they are in:
//!
//! ```
//! use std::path::Path;
//!
//! use extents::document::union::Union;
//!
//! # fn main() -> Result<(), extents::failure::Failure> {
//! let document = r#"{"virtual_size":10485760,"cluster_bits":16,"data_clusters":[[0,3],[40,40]]}"#;
//! let map = r#"[{ "start": 0, "length": 10485760, "zero": true }]"#;
//!
//! // In blocks of 1 MiB.
//! let mut union = Union::read(20, document.as_bytes(), Path::new("disk.json"))?;
//! union.add(map.as_bytes(), Path::new("map.json"))?;
//! assert_eq!(union.data().runs().collect::<Vec<_>>(), [(0, 0), (2, 2)]);
//! # Ok(())
//! # }
//! ```
//!
//! A header tool is made of these: an [`InputName`](frame::input::InputName) opens the image as an
//! [`ImageFile`](image::file::ImageFile), whose tables are read through a [`Window`](image::window::Window); a
//! [`Confinement`](image::confinement::Confinement) opens what the image names; each layer is a [`Walk`](extent::walk::Walk), whose second
//! look [compares](image::second_look) fingerprints; [`stack`](extent::overlay::stack) lays the layers over one another; and a
//! [`DiskOutput`](frame::disk_output::DiskOutput) prints what comes out.

pub mod document;
pub mod extent;
pub mod failure;
pub mod frame;
pub mod image;
