//! `qcow-headers`
fn main() {}
