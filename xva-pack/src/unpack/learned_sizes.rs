//! How large the disks of an archive are, of which nothing says it: found by passing over its headers, where the input can
//! seek, before a device is written to.

use std::collections::HashMap;
use std::fs::metadata;
use std::io::{Seek, SeekFrom};

use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::{Messages, Verbosity};
use extents::frame::streams;

use crate::unpack::findings::{Findings, Policy};
use crate::unpack::input::Input;
use crate::unpack::options::Options;
use crate::unpack::sink::Sink;
use crate::unpack::walk::read;

/// Bytes of each disk of the archive `name`, up to `only` if that is given; none where the input cannot seek. The archive is
/// left as it was found.
///
/// Fails as reading would, as far as headers show it; with `keep_going` what came is the size.
pub(crate) fn learn(
    name: &InputName,
    only: Option<&str>,
    keep_going: bool,
) -> Result<HashMap<String, u64>, Failure> {
    let cannot = |error| Failure::io(name.name(), "cannot seek", &error);
    let Some(path) = name.path() else {
        // Whoever opens standard input reads on where the last one ended.
        let mut stdin = streams::stdin()?;
        if !stdin.metadata().is_ok_and(|found| found.is_file()) {
            return Ok(HashMap::new());
        }
        let begun = stdin.stream_position().map_err(cannot)?;
        let sizes = pass_over(name, only, keep_going);
        stdin.seek(SeekFrom::Start(begun)).map_err(cannot)?;
        return sizes;
    };
    if metadata(path).is_ok_and(|found| found.is_file()) {
        pass_over(name, only, keep_going)
    } else {
        Ok(HashMap::new())
    }
}

fn pass_over(
    name: &InputName,
    only: Option<&str>,
    keep_going: bool,
) -> Result<HashMap<String, u64>, Failure> {
    let input = Input::open(name)?;
    if input.size().is_none() {
        return Ok(HashMap::new());
    }
    // What is to be said is said when it is read again.
    let silent = Messages::new("", Verbosity { quiet: true, verbose: false });
    let mut findings = Findings::new(Policy { strict: false, keep_going }, silent);
    let options = Options { only: only.map(str::to_owned), ..Options::default() };
    let (archive, done) = read(input, &options, &mut Nothing, &mut findings);
    if !keep_going {
        done?;
    }
    Ok(archive.disks.into_iter().map(|disk| (disk.prefix, disk.size)).collect())
}

/// Takes no bytes.
struct Nothing;

impl Sink for Nothing {
    fn wants(&self, _: &str) -> bool {
        false
    }

    fn begin(&mut self, _: &str, _: Option<u64>) -> Result<(), Failure> {
        Ok(())
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, _: u64, _: bool) -> Result<(), Failure> {
        Ok(())
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}
