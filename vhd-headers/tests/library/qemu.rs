//! QEMU as the oracle: of images without a parent, which is all that it knows, random ones made by it or by the builder
//! must have the blocks that `qemu-img map` finds and the content that `qemu-img convert` reads.

use std::path::Path;

use image_builders::qcow2::Dice;
use image_builders::qemu::{self, must_run};
use image_builders::vhd::{Disk, FooterCopy, Vhd};
use image_builders::walk::units;
use vhd_headers::granularity::Granularity;

use crate::guest;

const IMAGES: u64 = 40;
/// Of the largest disk.
const SECTORS: u64 = 40_000;

fn is_read_as_qemu_reads_it(seed: u64, directory: &Path) {
    let truth = qemu::content(directory, ("vpc", "disk.vhd"));
    let chain = guest::open(&directory.join("disk.vhd")).unwrap();
    assert_eq!(chain.virtual_size(), truth.len() as u64, "seed {seed}");
    for granularity in [Granularity::Sector, Granularity::Block] {
        let extents = guest::extents(&chain, granularity).unwrap();
        assert!(guest::content(&chain, &extents) == truth, "seed {seed}: other content");
    }
    let blocks = units(&guest::extents(&chain, Granularity::Block).unwrap(), chain.cluster_bits());
    let by_qemu =
        qemu::units(directory, ("vpc", "disk.vhd"), chain.virtual_size(), chain.cluster_bits(), |entry| {
            entry["data"] == true
        });
    assert_eq!(blocks, by_qemu, "seed {seed}");
}

#[test]
fn images_made_by_qemu_are_read_as_qemu_reads_them() {
    for seed in 0..IMAGES {
        let directory = tempfile::tempdir().unwrap();
        let mut dice = Dice::new(seed);
        let size = 512 * (1 + dice.below(SECTORS));
        let subformat = dice.pick(&["dynamic", "dynamic", "dynamic", "fixed"]);
        let options = format!("subformat={subformat},force_size=on");
        let create = ["create", "-q", "-f", "vpc", "-o", &options, "disk.vhd", &size.to_string()];
        must_run(directory.path(), "qemu-img", &create);
        let writes: Vec<String> = (0..dice.below(6))
            .map(|_| {
                let offset = dice.below(size) / 512 * 512;
                let length = 512 * (1 + dice.below((size - offset).min(3 << 20) / 512));
                format!("write -q -P {} {offset} {}", dice.below(3), length.min(size - offset))
            })
            .collect();
        let writes = writes.iter().flat_map(|write| ["-c", write]);
        let arguments: Vec<&str> =
            ["-f", "vpc"].into_iter().chain(writes).chain(["-c", "flush", "disk.vhd"]).collect();
        must_run(directory.path(), "qemu-io", &arguments);
        is_read_as_qemu_reads_it(seed, directory.path());
    }
}

#[test]
fn images_made_by_the_builder_are_read_as_qemu_reads_them() {
    let mut compared = 0;
    for seed in 0..IMAGES {
        let directory = tempfile::tempdir().unwrap();
        let mut image = image_builders::vhd::Chain::random(seed, SECTORS).0.remove(0);
        // QEMU looks for a dynamic disk at byte 0 only, counts whole sectors, reads no bitmap, but entries of the BAT
        // beyond the disk, and takes the bitmap of blocks below 4 KiB to be empty (block/vpc.c).
        if image.disk == Disk::Raw || image.block_bits < 12 {
            continue;
        }
        image = Vhd {
            name: "disk.vhd".into(),
            head: FooterCopy::Sound,
            tail: FooterCopy::Sound,
            stale: false,
            spare_entries: 0,
            ..image
        };
        image.size = image.size.next_multiple_of(512);
        image.build().write_to(directory.path()).unwrap();
        is_read_as_qemu_reads_it(seed, directory.path());
        compared += 1;
    }
    assert!(compared > IMAGES / 2, "only {compared} images are such that QEMU reads them");
}
