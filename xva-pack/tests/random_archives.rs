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
use xva_pack::unpack::sink::Sink;
use xva_pack::unpack::walk::read;

const ARCHIVES: u64 = 1500;

/// Keeps the disks that come whole.
#[derive(Default)]
struct Collector {
    disk: Option<(String, Vec<u8>)>,
    whole: BTreeMap<String, Vec<u8>>,
}

impl Sink for Collector {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn begin(&mut self, prefix: &str, _: Option<u64>) -> Result<(), Failure> {
        self.disk = Some((prefix.to_owned(), Vec::new()));
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
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(archive).unwrap();
    let quiet = Messages::new("test", Verbosity { quiet: true, verbose: false });
    let mut findings = Findings::new(Policy { strict, keep_going: false }, quiet);
    let mut collector = Collector::default();
    let input = Input::open(&InputName::File(file.path().to_path_buf())).unwrap();
    let (_, done) = read(input, &Options::default(), &mut collector, &mut findings);
    (done.map_err(|failure| failure.to_string()), collector.whole)
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
