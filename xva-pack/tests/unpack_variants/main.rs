//! Archives, sound and broken, in tables by topic: each is taken or refused as xapi's importer would, with the reason.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../archive_builder/mod.rs"]
mod archive_builder;
mod judge;
mod parts;

mod blocks;
mod creation;
mod disks;
mod foreign;
mod metadata;
mod tar;
