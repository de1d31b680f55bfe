//! QEMU as the oracle: random chains, made by `qemu-img` and `qemu-io` or by the builder, must have the data that
//! `qemu-img map` finds and the content that `qemu-img convert` reads.

use std::fmt::Write;
use std::path::Path;

use extents::image::holes::HOLE_BITS;
use image_builders::qcow2::{Chain, Dice};
use image_builders::qemu::{self, must_run, run};
use image_builders::walk::units;

use crate::guest::{extents, extents_without_holes, open, read};

/// The units of 2^`bits` bytes that hold data, by `qemu-img map`, turned outwards.
fn qemu_units(directory: &Path, image: &str, virtual_size: u64, bits: u32) -> Vec<bool> {
    qemu::units(directory, ("qcow2", image), virtual_size, bits, |entry| entry["zero"] == false)
}

/// One image by qemu-img and qemu-io. Every choice is in the seed.
fn make_image(dice: &mut Dice, directory: &Path, name: &str, below: Option<(&str, &str)>, size: u64) {
    let extended = dice.one_in(3);
    let old = !extended && dice.one_in(4);
    let cluster =
        if extended { dice.pick(&[16, 64, 2048]) << 10 } else { dice.pick(&[1, 8, 128, 4096]) << 9 };
    let mut options = format!("cluster_size={cluster},compat={}", if old { "0.10" } else { "1.1" });
    if extended {
        options.push_str(",extended_l2=on");
    }
    if !old && dice.one_in(2) {
        options.push_str(",compression_type=zstd");
    }
    let size_text = size.to_string();
    let mut create = vec!["create", "-q", "-f", "qcow2", "-o", &options];
    if let Some((name, format)) = below {
        create.extend(["-F", format, "-b", name]);
    }
    create.extend([name, &size_text]);
    must_run(directory, "qemu-img", &create);
    let commands = random_commands(dice, size, cluster);
    let mut arguments = vec!["-f", "qcow2"];
    arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
    arguments.push(name);
    // Some commands are refused, a compressed write to a cluster that is there for one: what counts is what there
    // is in the end.
    run(directory, "qemu-io", &arguments);
}

/// Compressed writes first: they cannot overwrite.
fn random_commands(dice: &mut Dice, size: u64, cluster: u64) -> Vec<String> {
    let mut commands = Vec::new();
    for _ in 0..dice.below(6) {
        let offset = dice.below(size) / cluster * cluster;
        let length = cluster.min(size - offset);
        commands.push(format!("write -q -c -P {} {offset} {length}", 1 + dice.below(255)));
    }
    for _ in 0..dice.below(12) {
        let offset = dice.below(size) / 512 * 512;
        let longest = dice.pick(&[512, cluster / 2, 3 * cluster, 40 * cluster]).min(size - offset);
        let length = 512 * (1 + dice.below(longest.div_ceil(512)));
        let length = length.min(size - offset);
        let mut command = String::new();
        match dice.below(6) {
            0 => write!(command, "write -q -z {offset} {length}"),
            1 => write!(command, "write -q -z -u {offset} {length}"),
            2 => write!(command, "discard -q {offset} {length}"),
            _ => write!(command, "write -q -P {} {offset} {length}", 1 + dice.below(255)),
        }
        .unwrap();
        commands.push(command);
    }
    commands
}

/// A chain of one to three images in `directory`; gives the name of the uppermost.
fn make_chain(dice: &mut Dice, directory: &Path) -> String {
    let size = 512 * (1 + dice.below(8 << 11));
    let mut below: Option<String> = None;
    for layer in (0..=dice.below(3)).rev() {
        let other = if dice.one_in(4) { 512 * (1 + dice.below(8 << 11)) } else { size };
        let name = format!("{layer}.qcow2");
        make_image(
            dice,
            directory,
            &name,
            below.as_deref().map(|name| (name, "qcow2")),
            if layer == 0 { size } else { other },
        );
        below = Some(name);
    }
    // Without holes in the files QEMU decides by the tables alone.
    let top = below.unwrap();
    for layer in 0..3 {
        let name = format!("{layer}.qcow2");
        if directory.join(&name).exists() {
            must_run(directory, "cp", &["--sparse=never", &name, "copy"]);
            must_run(directory, "mv", &["copy", &name]);
        }
    }
    top
}

fn compare_with_qemu(seed: u64, directory: &Path, image: &str) {
    let chain = open(&directory.join(image)).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    let bits = chain.cluster_bits();
    let extents = extents(&chain).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    let expected = qemu_units(directory, image, chain.virtual_size(), bits);
    assert_eq!(units(&extents, bits), expected, "seed {seed}: not the data of qemu-img map");
    let content = read(&chain).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    assert!(
        content == qemu::content(directory, ("qcow2", image)),
        "seed {seed}: not the content of qemu-img convert"
    );
}

fn compare_made_by_qemu(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let directory = tempfile::tempdir().unwrap();
        let top = make_chain(&mut Dice::new(seed), directory.path());
        compare_with_qemu(seed, directory.path(), &top);
    }
}

#[test]
fn chains_made_by_qemu_are_read_as_qemu_reads_them_1() {
    compare_made_by_qemu(0..50);
}

#[test]
fn chains_made_by_qemu_are_read_as_qemu_reads_them_2() {
    compare_made_by_qemu(50..100);
}

#[test]
fn chains_made_by_the_builder_are_read_as_qemu_reads_them() {
    for seed in 0..50 {
        let directory = tempfile::tempdir().unwrap();
        let chain = Chain::random(seed);
        chain.write_to(directory.path()).unwrap();
        assert!(
            qemu::content(directory.path(), ("qcow2", "layer0.qcow2")) == chain.truth(),
            "seed {seed}: the builder is wrong"
        );
        compare_with_qemu(seed, directory.path(), "layer0.qcow2");
    }
}

/// Where the file system knows holes, what is data without them lies within QEMU's answer, which looks for holes in
/// raw files and in preallocated images; nothing of the content is lost.
fn compare_without_holes(directory: &Path, image: &str) {
    let chain = open(&directory.join(image)).unwrap();
    let bits = chain.cluster_bits().min(HOLE_BITS);
    let extents = extents_without_holes(&chain).unwrap();
    let found = units(&extents, bits);
    let expected = qemu_units(directory, image, chain.virtual_size(), bits);
    assert!(
        found.iter().zip(&expected).all(|(found, expected)| !found || *expected),
        "wider than qemu-img map"
    );
    let content = qemu::content(directory, ("qcow2", image));
    for (unit, bytes) in content.chunks(1 << bits).enumerate() {
        assert!(found[unit] || bytes.iter().all(|byte| *byte == 0), "unit {unit} is lost");
    }
    assert!(found.contains(&false), "no hole was found");
}

#[test]
fn without_holes_preallocated_images_are_as_small_as_qemu_finds_them() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    must_run(
        here,
        "qemu-img",
        &["create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", "image", "16M"],
    );
    let writes = ["-c", "write -q -P 7 4999680 5120", "-c", "write -q -P 8 16776704 512"];
    must_run(here, "qemu-io", &[["-f", "qcow2"].as_slice(), &writes, &["image"]].concat());
    compare_without_holes(here, "image");
}

#[test]
fn without_holes_a_raw_backing_file_is_as_small_as_qemu_finds_it() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    must_run(here, "qemu-img", &["create", "-q", "-f", "raw", "base", "8M"]);
    must_run(here, "qemu-io", &["-f", "raw", "-c", "write -q -P 7 3000000 100000", "base"]);
    must_run(here, "qemu-img", &["create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base", "image", "12M"]);
    must_run(here, "qemu-io", &["-f", "qcow2", "-c", "write -q -z 3M 64k", "-c", "write -q 10M 1M", "image"]);
    compare_without_holes(here, "image");
}
