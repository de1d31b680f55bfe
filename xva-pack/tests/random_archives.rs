//! Random archives, sound ones and such in which something is amiss, judged by the program's reader and by the rules of
//! the importer: what the reader calls sound, the importer takes, and both find the same disks there; what the importer
//! refuses, the reader refuses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod archive_builder;
mod importer;
mod random_archive;

use std::collections::BTreeMap;
use std::io::Write;

use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::{Messages, Verbosity};
use image_builders::qcow2::Dice;
use random_archive::RandomArchive;
use xva_pack::unpack::findings::{Findings, Policy};
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::sink::{BlockPlace, Sink};
use xva_pack::unpack::walk::read;

const ARCHIVES: u64 = 1500;

/// Keeps the disks that come whole, or only where their blocks are.
#[derive(Default)]
struct Collector {
    headers_only: bool,
    disk: Option<(String, Vec<u8>)>,
    whole: BTreeMap<String, Vec<u8>>,
    /// Where each block is: its disk, guest offset, size, and byte of the archive.
    blocks: Vec<(String, usize, usize, usize)>,
}

impl Sink for Collector {
    fn wants(&self, _: &str) -> bool {
        !self.headers_only
    }

    fn begin(&mut self, prefix: &str, _: Option<u64>) -> Result<(), Failure> {
        self.disk = Some((prefix.to_owned(), Vec::new()));
        Ok(())
    }

    fn block(&mut self, place: &BlockPlace<'_>) -> Result<(), Failure> {
        let [offset, size, byte] =
            [place.offset, place.size, place.byte].map(|n| usize::try_from(n).unwrap());
        self.blocks.push((place.prefix.to_owned(), offset, size, byte));
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let (_, disk) = self.disk.as_mut().unwrap();
        disk.resize(usize::try_from(offset).unwrap(), 0);
        disk.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, size: u64, whole: bool) -> Result<(), Failure> {
        let (prefix, mut disk) = self.disk.take().unwrap();
        disk.resize(usize::try_from(size).unwrap(), 0);
        if whole {
            self.whole.insert(prefix, disk);
        }
        Ok(())
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

/// As `xva-unpack --verify` does if `strict`: whether the archive is sound, and the disks in it.
fn judge(archive: &[u8], strict: bool) -> (Result<(), String>, BTreeMap<String, Vec<u8>>) {
    let mut collector = Collector::default();
    (walk(archive, strict, &mut collector), collector.whole)
}

/// As `xva-unpack --list` does: whether the structure of the archive is sound, and the disks as they can be put together
/// from where their blocks are.
fn put_together(
    archive: &[u8],
    announced: &[(String, usize)],
) -> (Result<(), String>, BTreeMap<String, Vec<u8>>) {
    let mut collector = Collector { headers_only: true, ..Collector::default() };
    let verdict = walk(archive, false, &mut collector);
    let mut disks: BTreeMap<String, Vec<u8>> =
        announced.iter().map(|(prefix, size)| (prefix.clone(), vec![0; *size])).collect();
    for (prefix, offset, size, byte) in collector.blocks {
        if let Some(place) = disks.get_mut(&prefix).and_then(|disk| disk.get_mut(offset..offset + size)) {
            place.copy_from_slice(&archive[byte..byte + size]);
        }
    }
    (verdict, disks)
}

fn walk(archive: &[u8], strict: bool, collector: &mut Collector) -> Result<(), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(archive).unwrap();
    let quiet = Messages::new("test", Verbosity { quiet: true, verbose: false });
    let mut findings = Findings::new(Policy { strict, keep_going: false }, quiet);
    let input = Input::open(&InputName::File(file.path().to_path_buf())).unwrap();
    let (_, done) = read(input, &Options::default(), collector, &mut findings);
    done.map_err(|failure| failure.to_string())
}

#[test]
fn the_reader_judges_random_archives_as_the_importer_does() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..ARCHIVES {
        let RandomArchive { bytes, announced, truth } = RandomArchive::new(&mut Dice::new(seed));
        let imported = importer::import(&bytes, &announced);
        let (verdict, disks) = judge(&bytes, true);
        match imported {
            Ok(imported) => {
                taken += 1;
                if let Some(truth) = truth {
                    assert_eq!(imported.disks, truth, "seed {seed}: not what was put in");
                    let from_headers = put_together(&bytes, &announced);
                    assert_eq!(from_headers, (Ok(()), truth), "seed {seed}: the headers lead elsewhere");
                }
                let (lax, found) = judge(&bytes, false);
                assert!(
                    lax.is_ok() && found == imported.disks || lax.is_err() && holds_more(imported.rest),
                    "seed {seed}: the importer takes it; {lax:?}"
                );
                assert!(
                    verdict.is_ok() && disks == imported.disks || holds_more(imported.rest),
                    "seed {seed}: the importer takes it; {verdict:?}"
                );
            }
            Err(reason) => {
                refused += 1;
                assert!(truth.is_none(), "seed {seed}: the importer refuses what is sound: {reason}");
                assert!(verdict.is_err(), "seed {seed}: the importer refuses it: {reason}");
            }
        }
    }
    let least = ARCHIVES / 4;
    assert!(taken > least && refused > least, "{taken} taken, {refused} refused: too few of one kind");
}

/// Something after the last disk: the importer does not see it, and the program says that it will be lost.
fn holds_more(rest: &[u8]) -> bool {
    rest.chunks(512).any(|record| record.iter().any(|byte| *byte != 0))
}
