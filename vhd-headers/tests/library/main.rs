//! The library against images that were built byte by byte.

#![allow(clippy::unwrap_used, reason = "what only tests call may end them")]

mod batmaps;
mod damage;
mod guest;
mod live;
mod locators;
mod parents;
mod qemu;
mod random_chains;
mod small;
mod wild_blocks;
mod wild_footers;
