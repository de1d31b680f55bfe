//! `--report`: what was done, as JSON, for the program that keeps the archive.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use extents::failure::Failure;
use extents::image::identity::Identity;
use rustix::fs::{Access, access};
use serde::Serialize;

use crate::host::stdout::is_stdout;
use crate::pack::copy::Packed;
use crate::pack::source::Origin;
use crate::pack::writer::Counts;
use crate::xva::crc32::Crc32;

/// How many bytes, and their CRC-32.
#[derive(Serialize)]
struct Checked {
    bytes: u64,
    /// Eight lower-case hexadecimal digits.
    crc32: String,
}

impl Checked {
    /// What `crc` was fed with.
    fn of(crc: &Crc32) -> Self {
        Checked { bytes: crc.length(), crc32: format!("{:08x}", crc.finish()) }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    source: &'static str,
    reason: &'a str,
    #[serde(flatten)]
    counts: Counts,
    seconds: f64,
    disk: Option<Checked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<Checked>,
}

/// Fails with status 1 if a report cannot be written to `file`, and with 2 if it would replace the archive or a file that
/// is `read`. Nothing is created: a failed export leaves no report.
pub fn check_writable<'a>(file: &Path, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    let found = fs::metadata(file).ok();
    let identity = found.as_ref().map(Identity::of);
    let is_same =
        |input: &Path| fs::metadata(input).is_ok_and(|input| Some(Identity::of(&input)) == identity);
    if let Some(input) = read.into_iter().find(|input| is_same(input)) {
        let sentence = format!("is {}: expected another file for the report", input.display());
        return Err(Failure::usage(sentence).in_file(file));
    }
    if found.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(Failure::system("is a directory: expected a file for the report").in_file(file));
    }
    if found.as_ref().is_some_and(|found| found.is_file() && is_stdout(Identity::of(found))) {
        return Err(
            Failure::usage("is where the archive goes: expected another file for the report").in_file(file)
        );
    }
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = if found.is_some() { file } else { directory };
    access(written, Access::WRITE_OK)
        .map_err(|error| Failure::io(file, "cannot write the report", &error.into()))
}

/// Writes the report. The archive is whole by then, so that a failure here says so.
pub fn write(file: &Path, origin: &Origin, packed: &Packed, time: Duration) -> Result<(), Failure> {
    let report = Report {
        source: origin.name(),
        reason: origin.reason(),
        counts: packed.counts,
        seconds: (time.as_secs_f64() * 1000.0).round() / 1000.0,
        disk: packed.disk.as_ref().map(Checked::of),
        archived: packed.archived.as_ref().map(Checked::of),
    };
    let text =
        serde_json::to_string(&report).map_err(|error| Failure::system(format!("the report: {error}")))?;
    File::create(file)
        .and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")))
        .map_err(|error| Failure::io(file, "the archive is whole, but the report cannot be written", &error))
}
