//! VHD images, read: which guest bytes lie where in which file of a chain.
//!
//! A [`chain::Chain`] is the image and its parents, each a [`layer::Layer`]: found by its [footer](footer_search),
//! described by its [`dynamic_header`], listed by its [BAT](bat) and, sector by sector, by its
//! [bitmaps](sector_bitmap). What a layer says comes out as [`extents::extent::Extent`]s.

pub mod bat;
pub mod bat_check;
pub mod batmap;
pub mod blocks;
pub mod chain;
pub mod checksum;
pub mod dynamic_header;
pub mod footer;
pub mod footer_search;
pub mod layer;
pub mod parent_locator;
pub mod parent_names;
pub mod sector_bitmap;
pub mod sector_extents;
pub mod sparse;
