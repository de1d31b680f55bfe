//! The headers of an archive, as a tar or in frames: no panic; where all of it is sound, its headers say the same, and the map of
//! a disk leads to its bytes.
#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use extents::document::print::{Form, Printer};
use extents::failure::{Failure, Status};
use extents::frame::disk_output::map_file;
use extents::frame::input::InputName;
use extents::frame::messages::{Messages, Verbosity};
use extents::image::file::ImageFile;
use fuzz::{file, frame, seal, seek_table};
use libfuzzer_sys::fuzz_target;
use xva_pack::pack::files::Files;
use xva_pack::pack::map_plan::MapPlan;
use xva_pack::pack::member_pair::MemberPair;
use xva_pack::pack::reader::Reader;
use xva_pack::unpack::disk_extents::{Chosen, DiskExtents};
use xva_pack::unpack::findings::{Findings, Policy};
use xva_pack::unpack::frames::Frames;
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::report::DiskReport;
use xva_pack::unpack::sink::Sink;
use xva_pack::unpack::walk::read;
use xva_pack::xva::fit::Fit;
use xva_pack::xva::tar_member::RECORD;

/// Bytes of the largest disk that is compared: a header of a few bytes can claim any.
const LARGEST: usize = 1 << 20;

/// The disks, by their prefixes, if they are taken at all.
struct Taker {
    wanted: bool,
    at_hand: Option<(String, Vec<u8>)>,
    disks: BTreeMap<String, Vec<u8>>,
}

impl Taker {
    fn new(wanted: bool) -> Self {
        Taker { wanted, at_hand: None, disks: BTreeMap::new() }
    }
}

impl Sink for Taker {
    fn wants(&self, _: &str) -> bool {
        self.wanted
    }

    fn begin(&mut self, prefix: &str, _: Option<u64>) -> Result<(), Failure> {
        self.at_hand = Some((prefix.to_owned(), Vec::new()));
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let (_, disk) = self.at_hand.as_mut().unwrap();
        if let Some(offset) = usize::try_from(offset).ok().filter(|at| at + bytes.len() <= LARGEST) {
            disk.resize(offset, 0);
            disk.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self, size: u64, _: bool) -> Result<(), Failure> {
        let (prefix, mut disk) = self.at_hand.take().unwrap();
        if let Some(size) = usize::try_from(size).ok().filter(|size| *size <= LARGEST) {
            disk.resize(size, 0);
            self.disks.insert(prefix, disk);
        }
        Ok(())
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

fn findings(strict: bool) -> Findings {
    let quiet = Messages::new("fuzz", Verbosity { quiet: true, verbose: false });
    Findings::new(Policy { strict, keep_going: false }, quiet)
}

/// The disks of the archive; nothing where it is refused.
fn listed(path: &Path, by_headers: bool) -> Option<Vec<DiskReport>> {
    let input = Input::open(&InputName::File(path.to_path_buf())).unwrap();
    let input = if by_headers { input.by_headers() } else { input };
    let (archive, done) = read(input, &Options::default(), &mut Taker::new(false), &mut findings(false));
    done.ok().map(|()| archive.disks)
}

/// The map of the disk `only`, or the only one, as xva-headers makes it, with the name of the disk.
fn map(path: &Path, only: Option<&str>) -> Option<(Option<String>, Vec<u8>)> {
    let image = ImageFile::open(path).unwrap();
    let mut chosen: Option<Chosen> = None;
    // The second time as an archive without metadata is read again, once its end is known.
    for _ in 0..2 {
        let files = vec![map_file(&image)];
        let printer = Printer { form: Form::Map, virtual_size: 0, cluster_bits: 20, files };
        let mut map = Vec::new();
        let frames = Frames::of_image(&image).ok()?;
        let mut extents =
            DiskExtents::new(path.to_path_buf(), frames, only, chosen.clone(), printer, &mut map);
        let input = Input::of_image(&image, &InputName::File(path.to_path_buf())).unwrap().by_headers();
        let options = Options { only: only.map(str::to_owned), ..Options::default() };
        let (archive, done) = read(input, &options, &mut extents, &mut findings(false));
        done.ok()?;
        let is_chosen = extents.is_chosen();
        extents.finish().ok()?;
        if is_chosen {
            let disk = only.map(str::to_owned).or(chosen.map(|chosen| chosen.prefix));
            return Some((disk.or_else(|| archive.disks.first().map(|disk| disk.prefix.clone())), map));
        }
        chosen = Some(Chosen::of_archive(only, &archive).ok()?);
    }
    panic!("it was known which disk is printed, and it was not");
}

/// The bytes that a map leads to, of a disk that is not too large.
fn follow(map: &[u8]) -> Option<Vec<u8>> {
    let (files, fit) = (Files::new(), Fit { pad: true, ..Fit::default() });
    let plan = MapPlan::new(map, PathBuf::from("map"), Arc::clone(&files), fit, false);
    let mut reader = Reader::new(files, false);
    let mut memory = MemberPair::new().unwrap();
    let mut disk = Some(Vec::new());
    for job in plan {
        match job {
            Err(failure) => {
                assert_eq!(failure.status(), Status::Unsupported, "{failure}");
                return None;
            }
            Ok(job) if job.block.number == 0 && reader.fill(&job, &mut memory).is_ok() => {
                disk = Some(memory.data(job.block.disk_length).to_vec());
            }
            Ok(_) => disk = None,
        }
    }
    disk
}

/// The archive in frames that begin with the headers of blocks, and a byte of them changed if there is one at `at`.
fn framed(archive: &[u8], with_table: bool, at: usize) -> Vec<u8> {
    let is_block = |record: &[u8]| {
        let name = record.split(|byte| *byte == 0).next().unwrap_or_default();
        let digits = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        digits.len() == 8 && digits.iter().all(u8::is_ascii_digit)
    };
    let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
    for record in archive.chunks(RECORD) {
        if is_block(record) {
            pieces.push(Vec::new());
        }
        pieces.last_mut().unwrap().extend(record);
    }
    let frames: Vec<_> = pieces.iter().map(|piece| frame(piece).unwrap()).collect();
    let table = if with_table { seek_table(&frames) } else { Vec::new() };
    let mut all: Vec<u8> = frames.into_iter().flat_map(|(frame, _)| frame).chain(table).collect();
    if let Some(byte) = all.get_mut(at) {
        *byte ^= 0x55;
    }
    all
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (how, at, bytes) = input;
    let mut bytes = bytes.to_vec();
    bytes.chunks_mut(RECORD).for_each(seal);
    if how & 1 == 1 {
        let at = if at == 0 { usize::MAX } else { usize::from(at) * 29 };
        bytes = framed(&bytes, how & 8 == 8, at);
    }
    let path = file(&bytes);
    let only = [None, Some("Ref:000"), Some("Ref:001"), None][usize::from(how >> 1 & 3)];
    let mut taker = Taker::new(true);
    let input = Input::open(&InputName::File(path.clone())).unwrap();
    let is_sound = read(input, &Options::default(), &mut taker, &mut findings(true)).1.is_ok();
    let (by_headers, in_full) = (listed(&path, true), listed(&path, false));
    assert!(in_full.is_none() || by_headers.is_some(), "its headers are refused, and all of it is not");
    assert!(!is_sound || by_headers == in_full, "{by_headers:?} {in_full:?}");
    let Some((disk, map)) = map(&path, only) else { return };
    let followed = follow(&map);
    if let Some(truth) = disk.filter(|_| is_sound).and_then(|disk| taker.disks.remove(&disk)) {
        // No archive holds a disk of no bytes, nor one that is not of whole sectors.
        assert!(followed.is_none_or(|found| found.is_empty() || found == truth), "another disk");
    }
});
