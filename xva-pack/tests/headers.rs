//! The map of a disk inside an archive leads to the bytes that the importer reads, or there is no map.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod archive_builder;
#[allow(dead_code, reason = "what follows the disks is not looked at here")]
mod importer;
mod random_archive;

use std::io::Write;
use std::path::{Path, PathBuf};

use archive_builder::{Archive, data};
use extents::document::map::file_state::FileState;
use extents::document::map::writer::MapFile;
use extents::document::print::{Form, Printer};
use extents::frame::input::InputName;
use extents::frame::messages::{Messages, Verbosity};
use extents::image::file::ImageFile;
use image_builders::qcow2::Dice;
use random_archive::RandomArchive;
use xva_pack::host::progress::Progress;
use xva_pack::unpack::disk_extents::DiskExtents;
use xva_pack::unpack::findings::Findings;
use xva_pack::unpack::frames::Frames;
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::report::DiskReport;
use xva_pack::unpack::task::{Task, Unpacker};
use xva_pack::unpack::walk::read;
use xva_pack::xva::tar_member::{RECORD, TRAILER};

const ARCHIVES: u64 = 500;

/// A file with these bytes.
fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn findings(task: &Task) -> Findings {
    Findings::new(task.policy(false), Messages::new("test", Verbosity { quiet: true, verbose: false }))
}

/// The bytes that the map of the disk `prefix`, the only one if none is named, leads to.
fn mapped(archive: &[u8], prefix: Option<&str>) -> Result<Vec<u8>, String> {
    let file = file(archive);
    let image = ImageFile::open(file.path()).unwrap();
    let input = Input::of_image(&image, &InputName::File(file.path().to_path_buf())).unwrap().by_headers();
    let files =
        vec![MapFile { name: PathBuf::from("a.xva"), state: FileState::Device { size: image.size() } }];
    let printer = Printer { form: Form::Map, virtual_size: 0, cluster_bits: 20, files };
    let mut map = Vec::new();
    let frames = Frames::of_image(&image).map_err(|failure| failure.to_string())?;
    let mut extents = DiskExtents::new("a.xva".into(), frames, prefix, None, printer, &mut map);
    let options = Options { only: prefix.map(str::to_owned), ..Options::default() };
    let (_, done) = read(input, &options, &mut extents, &mut findings(&Task::List));
    done.and_then(|()| extents.finish()).map_err(|failure| failure.to_string())?;
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&map).unwrap();
    let mut disk = Vec::new();
    for entry in entries {
        let number = |key: &str| usize::try_from(entry[key].as_u64().unwrap()).unwrap();
        assert_eq!(number("start"), disk.len(), "a gap or overlap");
        if !entry["data"].as_bool().unwrap() {
            disk.resize(disk.len() + number("length"), 0);
        } else if entry["compressed"].as_bool().unwrap() {
            let frame = &archive[number("offset")..][..number("host_length")];
            let content = zstd::bulk::decompress(frame, number("cluster_size"));
            let content = content.map_err(|error| format!("a frame of the map: {error}"))?;
            assert!(content.len() == number("cluster_size"));
            disk.extend_from_slice(&content[number("skip")..][..number("length")]);
        } else {
            disk.extend_from_slice(&archive[number("offset")..][..number("length")]);
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

/// The archive in frames, of which each begins with the header of a block and holds up to `blocks` of them; the last one is the
/// end-of-tar. With one block each it is cut as by xva-zstd, as long as its headers are plain ones. With a seek table, or none.
fn framed(archive: &[u8], blocks: usize, with_table: bool) -> Vec<u8> {
    // Data here is random: it does not have the digits of a size where a header has them.
    let is_block = |record: &[u8]| {
        let Some(name) = record.get(..100) else { return false };
        let name = name.split(|&byte| byte == 0).next().unwrap();
        let digits = name.rsplit(|&byte| byte == b'/').next().unwrap();
        digits.len() == 8 && [digits, &record[124..135]].concat().iter().all(u8::is_ascii_digit)
    };
    let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
    let end = if archive.ends_with(&TRAILER) { archive.len() - TRAILER.len() } else { archive.len() };
    let mut found: usize = 0;
    for record in archive[..end].chunks(RECORD) {
        if is_block(record) {
            if found.is_multiple_of(blocks) {
                pieces.push(Vec::new());
            }
            found += 1;
        }
        pieces.last_mut().unwrap().extend(record);
    }
    pieces.push(archive[end..].to_vec());
    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
    let frames: Vec<Vec<u8>> = pieces.iter().map(|piece| compressor.compress(piece).unwrap()).collect();
    let mut all = frames.concat();
    if with_table {
        let length = |bytes: &Vec<u8>| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let entries: Vec<u8> = frames
            .iter()
            .zip(&pieces)
            .flat_map(|(frame, piece)| [length(frame), length(piece)].concat())
            .collect();
        let count = u32::try_from(frames.len()).unwrap();
        all.extend([&b"\x5e\x2a\x4d\x18"[..], &(8 * count + 9).to_le_bytes(), &entries].concat());
        all.extend([&count.to_le_bytes()[..], b"\0\xb1\xea\x92\x8f"].concat());
    }
    all
}

/// What `task` says of an archive, of which headers alone are read, or all.
fn said(path: &Path, task: &Task, by_headers: bool) -> Result<Vec<DiskReport>, String> {
    let input = Input::open(&InputName::File(path.to_path_buf())).unwrap();
    let input = if by_headers { input.by_headers() } else { input };
    let mut unpacker = Unpacker::new(task, false, false, Progress::new(None).unwrap());
    let (archive, done) = read(input, &Options::default(), &mut unpacker, &mut findings(task));
    done.map(|()| archive.disks).map_err(|failure| failure.to_string())
}

#[test]
fn frames_by_their_headers_are_the_archive_that_they_hold() {
    let (mut sound, mut refused, mut lenient) = (0, 0, 0);
    for seed in 0..ARCHIVES / 2 {
        let RandomArchive { bytes, announced, .. } = RandomArchive::new(&mut Dice::new(seed));
        let imported = importer::import(&bytes, &announced);
        let blocks = if seed % 4 == 3 { 2 } else { 1 };
        let framed = framed(&bytes, blocks, seed % 2 == 0);
        let file = file(&framed);
        let listed = said(file.path(), &Task::List, true);
        let listed_in_full = said(file.path(), &Task::List, false);
        if said(file.path(), &Task::Verify, false).is_ok() {
            sound += 1;
            assert_eq!(listed, listed_in_full, "seed {seed}");
            assert!(listed.is_ok(), "seed {seed}: {listed:?}");
        }
        match (&listed, &listed_in_full) {
            (Err(_), Err(_)) => refused += 1,
            (Err(what), Ok(_)) => {
                panic!("seed {seed}: refused for something that reading all of it does not see: {what}")
            }
            (Ok(_), Err(_)) => lenient += 1,
            (Ok(_), Ok(_)) => {}
        }
        for (prefix, _) in &announced {
            if let (Ok(disk), Ok(imported)) = (mapped(&framed, Some(prefix)), &imported) {
                assert!(disk == imported.disks[prefix], "seed {seed}: {prefix}: other bytes");
            }
        }
    }
    let counts = format!("{sound} sound, {refused} refused, {lenient} refused only where all is read");
    assert!(sound > ARCHIVES / 10 && refused > ARCHIVES / 20 && lenient < ARCHIVES / 20, "{counts}");
}

#[test]
fn damage_in_any_byte_of_a_file_of_frames_leads_to_no_other_disk() {
    const BLOCK: usize = 512;
    let disk = [data(1, BLOCK), vec![7; BLOCK], data(2, 2 * BLOCK)].concat();
    let numbered = [0, 1, 3].map(|number| (format!("Ref:0/{number:08}"), &disk[number * BLOCK..][..BLOCK]));
    let begun = Archive::with_ova(&[("Ref:0", 4 * BLOCK)]);
    let archive = numbered.iter().fold(begun, |archive, (name, block)| archive.block(name, block)).end();
    let truth = [&disk[..2 * BLOCK], &[0; BLOCK], &disk[3 * BLOCK..]].concat();
    // Nothing but the table shows that a frame is gone, and no single byte makes one vanish: fewer will do without it.
    for (with_table, step) in [(true, 1), (false, 5)] {
        let framed = framed(&archive, 1, with_table);
        assert!(mapped(&framed, None).unwrap() == truth);
        let (mut same, mut refused, mut not_sound) = (0, 0, 0);
        for at in (0..framed.len()).step_by(step) {
            let mut damaged = framed.clone();
            damaged[at] ^= [0x01, 0x10, 0x80][at % 3];
            match mapped(&damaged, None) {
                // Who reads a block through the map reads its frame, and compares the checksum of that.
                Ok(found) => {
                    same += 1;
                    assert!(found == truth, "byte {at}");
                    not_sound += u32::from(said(file(&damaged).path(), &Task::Verify, false).is_err());
                }
                Err(_) => refused += 1,
            }
        }
        let counts = format!("{same} led to the same disk, {not_sound} of them not sound, {refused} refused");
        assert!(refused > framed.len() / step * 9 / 10, "{counts}");
    }
}
