//! `vhd-headers`
fn main() {}
