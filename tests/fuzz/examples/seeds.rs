//! Writes the inputs that the fuzzers begin with: `seeds CORPUS`, where CORPUS gets a directory for each target.
//! They come from the builders of the tests, so that none has to be carried along.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use fuzz::SEPARATOR;
use image_builders::{qcow2, vhd};
use xva_pack::ova::document::to_xml;
use xva_pack::ova::uuid::uuid;
use xva_pack::ova::vm::{Firmware, Vm};
use xva_pack::ova::vm_disk::VmDisk;
use xva_pack::ova::vm_network::VmNetwork;
use xva_pack::xva::checksum::Algorithm;
use xva_pack::xva::tar_member::{TRAILER, header, padding};

/// Larger inputs make a fuzzer slow.
const LARGEST: usize = 48 << 10;
/// Chains of each format that are tried; most are small enough.
const CHAINS: u64 = 300;

fn main() -> io::Result<()> {
    let corpus = std::env::args_os().nth(1).expect("usage: seeds CORPUS");
    for (target, seeds) in [
        ("archive", archives()),
        ("dialect", documents()),
        ("headers", archives_by_headers()),
        ("map", maps()),
        ("ova_xml", vec![ova(&[("Ref:000", 1 << 20)]), ova(&[("Ref:1", 3 << 20), ("Ref:2", 512)])]),
        ("qcow2_chain", qcow2_chains()),
        ("vhd_chain", vhd_chains()),
    ] {
        let directory = Path::new(&corpus).join(target);
        std::fs::create_dir_all(&directory)?;
        for (number, seed) in seeds.iter().filter(|seed| seed.len() <= LARGEST).enumerate() {
            std::fs::write(directory.join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}

/// The uppermost image, over one without anything below it.
fn qcow2_chains() -> Vec<Vec<u8>> {
    let chains = (0..CHAINS).map(qcow2::Chain::random);
    chains
        .map(|chain| {
            two(chain.images.iter().take(2).enumerate().map(|(number, image)| {
                let mut image = image.clone();
                let has_base = number == 0 && chain.images.len() > 1;
                image.backing = has_base.then(|| ("base".to_owned(), Some("qcow2".to_owned())));
                image.build().bytes
            }))
        })
        .collect()
}

fn vhd_chains() -> Vec<Vec<u8>> {
    let chains = (0..CHAINS).map(|seed| vhd::Chain::random(seed, 600));
    chains
        .map(|chain| {
            let mut images: Vec<_> = chain.0.into_iter().rev().take(2).collect();
            if let [image, base] = images.as_mut_slice() {
                base.name = "base".to_owned();
                base.disk = if base.disk == vhd::Disk::Differencing { vhd::Disk::Dynamic } else { base.disk };
                let child = vhd::Vhd::child_of(base, "image");
                (image.parent_id, image.parent_name, image.locators) =
                    (child.parent_id, child.parent_name, child.locators);
            }
            two(images.iter().map(|image| image.build().bytes))
        })
        .collect()
}

/// An image and its base as one input.
fn two(images: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    images.collect::<Vec<_>>().join(SEPARATOR)
}

/// The first byte is the unit that the document is read at.
fn documents() -> Vec<Vec<u8>> {
    [
        r#"{"virtual_size":10737418240,"cluster_bits":21,"data_clusters":[[0,3],[7,7]]}"#,
        r#"{"virtual_size":1048577,"cluster_bits":9,"data_clusters":[0,1,[5,2048],2]}"#,
        r#"[{"start":0,"length":65536,"depth":0,"present":true,"zero":false,"data":true,"offset":327680},
            {"start":65536,"length":983040,"depth":0,"present":false,"zero":true,"data":false}]"#,
        r#"[{"offset":0,"length":4096,"type":0,"description":"data"},
            {"offset":4096,"length":8192,"type":3,"description":"hole,zero"}]"#,
    ]
    .iter()
    .flat_map(|text| [9, 20].map(|bits| [&[bits], text.as_bytes()].concat()))
    .collect()
}

/// The file `data` has 64 KiB; at byte 32768 begins a cluster of 4 KiB that zlib compressed, and at 49152 one by zstd.
fn maps() -> Vec<Vec<u8>> {
    let entry = |start: u64, length: u64, more: &str| {
        format!(
            r#"{{"start":{start},"length":{length},"zero":{},"data":{}{more}}}"#,
            more.is_empty(),
            !more.is_empty()
        )
    };
    let data = |offset: u64| format!(r#","offset":{offset},"filename":"data""#);
    let compressed = |offset: u64, kind: &str, skip: u64| {
        format!(
            r#","offset":{offset},"filename":"data","host_length":512,"compression":"{kind}","cluster_size":4096,"skip":{skip}"#
        )
    };
    let mut many = String::from("[");
    for number in 0..64 {
        let more = if number % 3 == 0 { data(number * 512) } else { String::new() };
        let _ = write!(many, "{},", entry(number * 65536, 65536, &more));
    }
    many.pop();
    many.push(']');
    [
        format!("[{}]", entry(0, 65536, &data(0))),
        format!("[{},\n{}]", entry(0, 1 << 20, ""), entry(1 << 20, 4096, &data(512))),
        format!(
            "[{},{}]",
            entry(0, 4096, &compressed(32768, "zlib", 0)),
            entry(4096, 512, &compressed(49152, "zstd", 3584))
        ),
        format!(
            "[{},{},{}]",
            entry(0, 3 << 20, ""),
            entry(3 << 20, 2048, &compressed(32768, "zlib", 1024)),
            entry((3 << 20) + 2048, 1 << 40, "")
        ),
        many,
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}

/// The first byte says how findings are judged.
fn archives() -> Vec<Vec<u8>> {
    let disks = [("Ref:000", 4 * 4096), ("Ref:001", 2 * 4096 + 512)];
    let mut archives = Vec::new();
    for algorithm in [Algorithm::Xxhash, Algorithm::Sha1] {
        for gap in [0, 1, 2] {
            for with_ova in [false, true] {
                let mut archive = vec![gap];
                if with_ova {
                    member(&mut archive, "ova.xml", &ova(&disks));
                }
                for (prefix, size) in disks {
                    for (number, start) in (0..size).step_by(4096).enumerate() {
                        if usize::from(gap) != number || number == 0 {
                            let name = format!("{prefix}/{number:08}");
                            let block: Vec<u8> = (1..=u8::MAX).cycle().take(4096.min(size - start)).collect();
                            member(&mut archive, &name, &block);
                            let text = algorithm.text(&block);
                            member(&mut archive, &format!("{name}{}", algorithm.suffix()), text.as_bytes());
                        }
                    }
                }
                archive.extend(TRAILER);
                archives.push(archive);
            }
        }
    }
    archives
}

/// The first byte says which disk is looked for, and whether it is in frames; the second one which byte of them is changed.
fn archives_by_headers() -> Vec<Vec<u8>> {
    let ways = [(0, 0), (2, 0), (4, 0), (3, 0), (5, 0), (11, 0), (13, 0), (3, 70), (11, 90)];
    let with = |archive: &Vec<u8>, (how, at)| [&[how, at][..], &archive[1..]].concat();
    archives().iter().flat_map(|archive| ways.map(|way| with(archive, way))).collect()
}

fn member(archive: &mut Vec<u8>, name: &str, data: &[u8]) {
    archive.extend(header(name, data.len() as u64).expect("names of seeds are short"));
    archive.extend(data);
    archive.resize(archive.len() + padding(data.len() as u64), 0);
}

/// Metadata of a machine with these disks, of sizes that are not rounded.
fn ova(disks: &[(&str, usize)]) -> Vec<u8> {
    let vm = Vm {
        name: "vm".to_owned(),
        memory: 1 << 30,
        vcpus: 1,
        firmware: Firmware::Uefi,
        disks: (1..)
            .zip(disks)
            .map(|(n, disk)| {
                VmDisk::new(disk.0, (n * 7919) << 20, None).expect("the disk is an ordinary one")
            })
            .collect(),
        networks: vec![VmNetwork::new("net", None).expect("the label is an ordinary one")],
        ..Vm::default()
    };
    let text = to_xml(&vm, |id, seed| uuid(seed, id)).expect("the machine is an ordinary one");
    let text = String::from_utf8(text).expect("metadata is text");
    let sizes = (1_u64..).zip(disks);
    let text = sizes.fold(text, |text, (n, disk)| {
        text.replace(&format!(">{}<", (n * 7919) << 20), &format!(">{}<", disk.1))
    });
    text.into_bytes()
}
