//! `xva-pack`
fn main() {}
