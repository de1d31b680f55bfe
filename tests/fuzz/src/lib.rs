//! What the fuzz targets share: the files that an input stands for, and what every walk must keep to.

use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;

use extents::document::map::writer::MapFile;
use extents::document::print::{Form, Printer};
use extents::extent::Extent;
use extents::failure::{Failure, Status};
use tempfile::TempDir;
use xva_pack::pack::files::Files;
use xva_pack::pack::map_plan::MapPlan;
use xva_pack::xva::fit::Fit;
use xva_pack::xva::tar_member::RECORD;

/// Extents that are looked at: an image of few bytes can claim a disk of many.
const ENOUGH: usize = 100_000;
/// Extents that are printed.
const FEW: usize = 2000;

/// Stands between the image and the file `base` that it may name as its parent or backing file.
pub const SEPARATOR: &[u8] = b"\0--base--\0";

thread_local! {
    static DIRECTORY: RefCell<TempDir> = RefCell::new(TempDir::with_prefix_in("fuzz", "/dev/shm").unwrap());
}

/// Writes the image in `input`, and `base` beside it if there is one; yields the path of the image.
pub fn files(input: &[u8]) -> PathBuf {
    let at = input.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let (image, base) = match at {
        Some(at) => (&input[..at], &input[at + SEPARATOR.len()..]),
        None => (input, &[][..]),
    };
    DIRECTORY.with_borrow(|directory| {
        std::fs::write(directory.path().join("base"), base).unwrap();
        let path = directory.path().join("image");
        std::fs::write(&path, image).unwrap();
        path
    })
}

/// Writes `bytes` to a file, and yields its path.
pub fn file(bytes: &[u8]) -> PathBuf {
    DIRECTORY.with_borrow(|directory| {
        let path = directory.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        path
    })
}

/// Makes a directory the current one where nothing is but the file `data`: 32 KiB of bytes as they are, then a
/// compressed cluster of 4 KiB in 16 KiB each for zlib and zstd.
pub fn in_directory_with_data() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let content: Vec<u8> = (0..4096_u32).map(|at| (at / 64) as u8).collect();
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(&content).unwrap();
        let mut data: Vec<u8> = (1..=u8::MAX).cycle().take(32 << 10).collect();
        for cluster in [deflate.finish().unwrap(), zstd::bulk::compress(&content, 3).unwrap()] {
            let end = data.len() + (16 << 10);
            data.extend(cluster);
            data.resize(end, 0);
        }
        DIRECTORY.with_borrow(|directory| {
            let inside = directory.path().join("map");
            std::fs::create_dir(&inside).unwrap();
            std::fs::write(inside.join("data"), data).unwrap();
            std::env::set_current_dir(inside).unwrap();
        });
    });
}

/// Prints the map of a walk that comes to its end, and follows it as xva-pack does: that one may only say that no archive
/// can hold such a disk.
pub fn check_map<I>(extents: impl Fn() -> I, virtual_size: u64, files: Vec<MapFile>)
where
    I: Iterator<Item = Result<Extent, Failure>>,
{
    if extents().take(FEW).count() == FEW {
        return;
    }
    let mut map = Vec::new();
    let printer = Printer { form: Form::Map, virtual_size, cluster_bits: 9, files };
    if printer.print(extents(), &mut map).is_err() {
        return;
    }
    let fit = Fit { pad: true, ..Fit::default() };
    let mut plan = MapPlan::new(map.as_slice(), PathBuf::from("map"), Files::new(), fit, false);
    if let Some(failure) = plan.find_map(Result::err) {
        assert_eq!(failure.status(), Status::Unsupported, "{failure}");
    }
}

/// The extents must cover `virtual_size` in order until they end or fail.
pub fn check_cover(extents: impl Iterator<Item = Result<Extent, Failure>>, virtual_size: u64) {
    let mut position = 0;
    let mut whole = true;
    for (number, extent) in extents.enumerate() {
        let Ok(extent) = extent else { return };
        assert!(extent.start == position && extent.length > 0);
        position = extent.end();
        assert!(position <= virtual_size);
        if number == ENOUGH {
            whole = false;
            break;
        }
    }
    assert!(!whole || position == virtual_size);
}

/// Compresses an archive in frames: if `how` is odd as xva-zstd does, with a frame for each block and the table of zstd's seekable
/// format, else wherever they happen to end. Of 32 ways, all but two change it: a byte of it from its beginning or its end, or
/// the order of its frames.
pub fn in_frames(archive: &[u8], how: u8) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for (number, record) in archive.chunks(RECORD).enumerate() {
        let begins =
            if how & 1 == 1 { is_header(record) && !record[..100].contains(&b'.') } else { number % 3 == 0 };
        match parts.last_mut() {
            Some(part) if !begins => part.extend(record),
            _ => parts.push(record.to_vec()),
        }
    }
    let mut frames: Vec<_> = parts.iter().filter_map(|part| frame(part)).collect();
    let table = (how & 1 == 1).then(|| seek_table(&frames));
    let step = usize::from(how >> 1);
    if (12..15).contains(&step) && frames.len() > step - 10 {
        frames.swap(step - 11, step - 10);
    }
    let frames = frames.into_iter().flat_map(|(frame, _)| frame);
    let mut all: Vec<u8> = frames.chain(table.unwrap_or_default()).collect();
    let at = match step {
        0..6 => Some(step * 37 + 4),
        6..12 => all.len().checked_sub((step - 6) * 5 + 1),
        _ => None,
    };
    if let Some(byte) = at.and_then(|at| all.get_mut(at)) {
        *byte ^= 0x55;
    }
    all
}

/// A frame, and how many bytes it holds.
pub fn frame(content: &[u8]) -> Option<(Vec<u8>, usize)> {
    Some((zstd::bulk::compress(content, 1).ok()?, content.len()))
}

/// The table of zstd's seekable format that lists these frames.
pub fn seek_table(frames: &[(Vec<u8>, usize)]) -> Vec<u8> {
    let number = |count: usize| u32::try_from(count).unwrap_or_default().to_le_bytes();
    let entries = frames.iter().flat_map(|(frame, content)| [number(frame.len()), number(*content)].concat());
    let table: Vec<u8> =
        entries.chain(number(frames.len())).chain([0]).chain(0x8f92_eab1_u32.to_le_bytes()).collect();
    [&0x184d_2a5e_u32.to_le_bytes()[..], &number(table.len()), &table].concat()
}

/// Whether a record looks like a header.
fn is_header(record: &[u8]) -> bool {
    record.len() == RECORD && record[124..135].iter().all(|byte| (b'0'..b'8').contains(byte))
}

/// Makes the checksum of a record right that looks like a header: hardly any input would have it otherwise.
pub fn seal(record: &mut [u8]) {
    if is_header(record) {
        record[148..156].fill(b' ');
        let sum = record.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        record[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    }
}
