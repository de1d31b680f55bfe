//! Builders of disk images, sound and damaged, that also know what a guest must read from them.

pub mod qcow2;
pub mod vhd;
