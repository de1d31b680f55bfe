//! The map of a disk inside an archive leads to the bytes that the importer reads, or there is no map.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod archive_builder;
#[allow(dead_code, reason = "what follows the disks is not looked at here")]
mod importer;
mod random_archive;

use std::io::Write;
use std::path::PathBuf;

use archive_builder::{Archive, data};
use extents::document::map::file_state::FileState;
use extents::document::map::writer::MapFile;
use extents::document::print::{Form, Printer};
use extents::frame::input::InputName;
use extents::frame::messages::{Messages, Verbosity};
use extents::image::file::ImageFile;
use image_builders::qcow2::Dice;
use random_archive::RandomArchive;
use xva_pack::unpack::disk_extents::DiskExtents;
use xva_pack::unpack::findings::{Findings, Policy};
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::walk::read;

const ARCHIVES: u64 = 500;

/// The bytes that the map of the disk `prefix`, the only one if none is named, leads to.
fn mapped(archive: &[u8], prefix: Option<&str>) -> Result<Vec<u8>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(archive).unwrap();
    let image = ImageFile::open(file.path()).unwrap();
    let input = Input::of_image(&image, &InputName::File(file.path().to_path_buf())).unwrap();
    let files =
        vec![MapFile { name: PathBuf::from("a.xva"), state: FileState::Device { size: image.size() } }];
    let printer = Printer { form: Form::Map, virtual_size: 0, cluster_bits: 20, files };
    let mut map = Vec::new();
    let mut extents = DiskExtents::new("a.xva".into(), prefix, None, printer, &mut map);
    let quiet = Messages::new("test", Verbosity { quiet: true, verbose: false });
    let mut findings = Findings::new(Policy { strict: false, keep_going: false }, quiet);
    let options = Options { only: prefix.map(str::to_owned), sizes: Vec::new() };
    let (_, done) = read(input, &options, &mut extents, &mut findings);
    done.and_then(|()| extents.finish()).map_err(|failure| failure.to_string())?;
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&map).unwrap();
    let mut disk = Vec::new();
    for entry in entries {
        let number = |key: &str| usize::try_from(entry[key].as_u64().unwrap()).unwrap();
        assert_eq!(number("start"), disk.len(), "a gap or overlap");
        if entry["data"].as_bool().unwrap() {
            disk.extend_from_slice(&archive[number("offset")..][..number("length")]);
        } else {
            disk.resize(disk.len() + number("length"), 0);
        }
    }
    Ok(disk)
}

#[test]
fn the_maps_of_random_archives_lead_to_what_the_importer_reads() {
    let (mut led, mut refused) = (0, 0);
    for seed in 0..ARCHIVES {
        let RandomArchive { bytes, announced, truth } = RandomArchive::new(&mut Dice::new(seed));
        let imported = importer::import(&bytes, &announced);
        for (prefix, _) in &announced {
            match (mapped(&bytes, Some(prefix)), &imported) {
                (Ok(disk), Ok(imported)) => {
                    led += 1;
                    assert!(disk == imported.disks[prefix], "seed {seed}: {prefix}: other bytes");
                }
                (Err(what), _) => {
                    refused += 1;
                    assert!(truth.is_none(), "seed {seed}: {prefix}: {what}");
                }
                // Some of what the importer refuses leaves no doubt about where bytes belong.
                (Ok(_), Err(_)) => {}
            }
        }
    }
    assert!(
        led > ARCHIVES / 4 && refused > ARCHIVES / 10,
        "{led} led, {refused} refused: too few of one kind"
    );
}

#[test]
fn damage_in_any_byte_leads_to_no_other_disk_in_an_archive_that_the_importer_takes() {
    const BLOCK: usize = 512;
    let disk = data(1, 4 * BLOCK);
    let begun = Archive::with_ova(&[("Ref:0", 4 * BLOCK)]);
    let metadata_ends = begun.0.len();
    let numbered = [0, 1, 3].map(|number| (format!("Ref:0/{number:08}"), &disk[number * BLOCK..][..BLOCK]));
    let archive = numbered.iter().fold(begun, |archive, (name, block)| archive.block(name, block)).end();
    let announced = [("Ref:0".to_owned(), 4 * BLOCK)];
    let truth = [&disk[..2 * BLOCK], &[0; BLOCK], &disk[3 * BLOCK..]].concat();
    assert!(mapped(&archive, None).unwrap() == truth);
    let (mut same, mut refused) = (0, 0);
    for at in (0..512).chain(metadata_ends..archive.len()) {
        let mut damaged = archive.clone();
        damaged[at] ^= [0x01, 0x10, 0x80][at % 3];
        match (mapped(&damaged, None), importer::import(&damaged, &announced)) {
            (Ok(found), Ok(_)) => {
                same += 1;
                assert!(found == truth, "byte {at}");
            }
            (Ok(_), Err(_)) => {}
            (Err(_), _) => refused += 1,
        }
    }
    assert!(same > 100 && refused > 1000, "{same} led to the same disk, {refused} refused");
}
