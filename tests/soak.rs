//! Whole pipelines over random chains, from the tables of an image to the bytes in an archive: what a reader that knows
//! nothing but the rules of the format finds there is the disk, byte for byte.
//!
//! A hundred chains, each through its map and through its extents: 200 pipelines.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic, in its helpers too")]

mod archive_rules;

use std::fs::{File, write};
use std::path::Path;

use extents::confine::{Confinement, SearchPaths};
use extents::dialect::Union;
use extents::document::{DocumentWriter, Style};
use extents::filter::{Messages, Verbosity};
use extents::image_file::ImageFile;
use extents::print::{Form, Walk};
use image_builders::{qcow2, vhd};
use xva_pack::block::{Fit, Prefix};
use xva_pack::checksum::Algorithm;
use xva_pack::pack::{Settings, pack};
use xva_pack::progress::Progress;
use xva_pack::source::{Source, Wish};
use xva_pack::workers::Sealing;

/// Of each format.
const CHAINS: u64 = 50;
/// Other chains than those with which the other tests begin.
const FIRST_SEED: u64 = 5_000_000;
/// Of the largest disk: the first and the last block of an archive are always there, so that most disks need more.
const SECTORS: u64 = 12_000;
/// log2 of the block of XVA.
const BLOCK_BITS: u32 = 20;

#[test]
fn random_qcow2_chains_arrive_byte_for_byte() {
    for seed in FIRST_SEED..FIRST_SEED + CHAINS {
        let directory = tempfile::tempdir().unwrap();
        let chain = qcow2::Chain::random_up_to(seed, SECTORS);
        let image = chain.write_to(directory.path()).unwrap();
        arrives(directory.path(), &chain.truth(), seed, |form, out| print_qcow2(&image, form, out));
    }
}

#[test]
fn random_vhd_chains_arrive_byte_for_byte() {
    for seed in FIRST_SEED..FIRST_SEED + CHAINS {
        let directory = tempfile::tempdir().unwrap();
        let chain = vhd::Chain::random(seed, SECTORS);
        let image = chain.write_to(directory.path()).unwrap();
        arrives(directory.path(), &chain.truth(), seed, |form, out| print_vhd(&image, form, out));
    }
}

/// qcow-headers --output FORM
fn print_qcow2(image: &Path, form: Form, out: File) {
    use qcow_headers::chain::{Chain, Options};
    let confinement = Confinement::new(image, &SearchPaths::default()).unwrap();
    let options = Options { backing: true, backing_format: None, data: form == Form::Map };
    let chain = Chain::open(ImageFile::open(image).unwrap(), &confinement, options).unwrap();
    let files = if form == Form::Map { chain.data_paths() } else { Vec::new() };
    let walk = Walk { virtual_size: chain.virtual_size(), cluster_bits: chain.cluster_bits(false), files };
    walk.print(form, chain.pieces(), out).unwrap();
}

/// vhd-headers --output FORM
fn print_vhd(image: &Path, form: Form, out: File) {
    use vhd_headers::chain::Chain;
    use vhd_headers::sparse::Grain;
    let confinement = Confinement::new(image, &SearchPaths::default()).unwrap();
    let chain = Chain::open(ImageFile::open(image).unwrap(), Some(&confinement)).unwrap();
    let files = chain.layers().iter().map(|layer| layer.file().path().to_path_buf()).collect();
    let walk = Walk { virtual_size: chain.virtual_size(), cluster_bits: chain.block_bits(), files };
    let grain = if form == Form::Map { Grain::Sector } else { Grain::Block };
    walk.print(form, chain.pieces(grain).unwrap(), out).unwrap();
}

/// Both ways from the image into an archive, and out of it again.
fn arrives(directory: &Path, truth: &[u8], seed: u64, print: impl Fn(Form, File)) {
    let [map, intervals, merged, disk] =
        ["map.json", "intervals.json", "merged.json", "truth.raw"].map(|name| directory.join(name));
    write(&disk, truth).unwrap();
    print(Form::Map, File::create(&map).unwrap());
    print(Form::Intervals, File::create(&intervals).unwrap());
    merge(&intervals, &merged);
    let by_extents = Wish::Extents { disk, document: merged, fallback: false };
    for wish in [Wish::Map { map }, by_extents] {
        let archive = packed(&wish, seed);
        let found = archive_rules::disk_in(&archive, "Ref:0", truth.len());
        assert!(found == truth, "seed {seed}: the disk differs by way of {wish:?}");
    }
}

/// extents-merge
fn merge(from: &Path, to: &Path) {
    let mut union = Union::new(BLOCK_BITS);
    union.read(File::open(from).unwrap(), from).unwrap();
    let size = union.virtual_size().unwrap();
    let mut writer =
        DocumentWriter::new(File::create(to).unwrap(), Style::Intervals, size, BLOCK_BITS).unwrap();
    for (first, last) in union.data().runs() {
        writer.push(first, last).unwrap();
    }
    writer.finish().unwrap();
}

/// xva-pack --pad
fn packed(wish: &Wish, seed: u64) -> Vec<u8> {
    let messages = Messages::new("soak", Verbosity::default());
    let source =
        Source::open(wish, Fit { pad: true, ..Fit::default() }, seed.is_multiple_of(2), messages).unwrap();
    let sealing = Sealing {
        prefix: Prefix::parse("Ref:0").unwrap(),
        algorithm: Algorithm::Xxhash,
        keep_zeros: seed.is_multiple_of(3),
        with_crc: true,
    };
    let settings = Settings { sealing, jobs: 2, drop_cache: false, keepalive: None, others_follow: false };
    let mut archive = Vec::new();
    pack(source, &settings, None, &mut Progress::new(None).unwrap(), &mut archive).unwrap();
    archive
}
