//! Builders of disk images, sound and damaged, that also know what a guest must read from them; and what the tests of
//! both formats have in common.

pub mod qcow2;
pub mod qemu;
pub mod vhd;
pub mod walk;
