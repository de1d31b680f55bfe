//! QEMU as the oracle of the tests: its programs run in a directory, and what they say of an image there.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that needs QEMU fails where it is missing or refuses what the test makes"
)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::walk::touched;

/// A program with its arguments, however it ends.
pub fn run(directory: &Path, program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).current_dir(directory).output();
    output.expect("qemu-img and qemu-io are needed for this test")
}

/// What a program prints that must succeed.
pub fn must_run(directory: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = run(directory, program, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    output.stdout
}

/// For each unit of 2^`bits` bytes of a disk of `size` bytes whether an entry of `qemu-img map` that `is_data` touches it.
pub fn units(
    directory: &Path,
    (format, image): (&str, &str),
    size: u64,
    bits: u32,
    is_data: fn(&Value) -> bool,
) -> Vec<bool> {
    let map = must_run(directory, "qemu-img", &["map", "--output=json", "-f", format, image]);
    let map: Value = serde_json::from_slice(&map).expect("JSON");
    let ranges = map.as_array().expect("an array").iter().filter(|entry| is_data(entry)).map(|entry| {
        let [start, length] = ["start", "length"].map(|key| entry[key].as_u64().expect("bytes"));
        start..start + length
    });
    touched(ranges, size, bits)
}

/// The bytes of the disk, by `qemu-img convert`.
pub fn content(directory: &Path, (format, image): (&str, &str)) -> Vec<u8> {
    must_run(directory, "qemu-img", &["convert", "-f", format, "-O", "raw", image, "content"]);
    std::fs::read(directory.join("content")).expect("what qemu-img wrote")
}
