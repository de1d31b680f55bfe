//! `--report`: what was done, as JSON, for the program that keeps the archive.

use std::fs::{File, metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use extents::failure::Failure;
use rustix::fs::{Access, access};
use serde::Serialize;

use crate::host::progress::is_stdout;
use crate::pack::copy::Packed;
use crate::pack::source::Origin;
use crate::xva::crc32::Crc32;

/// How many bytes, and their CRC-32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    bytes: u64,
    /// Eight lower-case hexadecimal digits.
    crc32: String,
}

impl Checked {
    /// What `crc` was fed with.
    pub fn new(crc: &Crc32) -> Self {
        Checked { bytes: crc.length(), crc32: format!("{:08x}", crc.finish()) }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    source: &'static str,
    reason: &'a str,
    blocks_written: u64,
    zero_blocks_left_out: u64,
    bytes_read: u64,
    bytes_written: u64,
    seconds: f64,
    disk: &'a Option<Checked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: &'a Option<Checked>,
}

/// Fails with status 1 if a report cannot be written to `file`, and with 2 if it would replace the archive or a file that
/// is `read`. Nothing is created: a failed export leaves no report.
pub fn check_writable<'a>(file: &Path, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    let identity = |file: &Path| metadata(file).ok().map(|found| (found.dev(), found.ino()));
    if let Some(taken) = identity(file)
        && let Some(input) = read.into_iter().find(|input| identity(input) == Some(taken))
    {
        let sentence = format!("is {}: expected another file for the report", input.display());
        return Err(Failure::usage(sentence).in_file(file));
    }
    if file.is_dir() {
        return Err(Failure::system("is a directory: expected a file for the report").in_file(file));
    }
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.is_file() && File::open(file).is_ok_and(|existing| is_stdout(&existing)) {
        return Err(
            Failure::usage("is where the archive goes: expected another file for the report").in_file(file)
        );
    }
    let written = if file.exists() { file } else { directory };
    access(written, Access::WRITE_OK)
        .map_err(|error| Failure::io(file, "cannot write the report", &error.into()))
}

/// Writes the report. The archive is whole by then, so that a failure here says so.
pub fn write(file: &Path, origin: &Origin, packed: &Packed, time: Duration) -> Result<(), Failure> {
    let counts = packed.counts;
    let report = Report {
        source: origin.name(),
        reason: origin.reason(),
        blocks_written: counts.blocks_written,
        zero_blocks_left_out: counts.zero_blocks_left_out,
        bytes_read: counts.bytes_read,
        bytes_written: counts.bytes_written,
        seconds: (time.as_secs_f64() * 1000.0).round() / 1000.0,
        disk: &packed.disk,
        archived: &packed.archived,
    };
    let text =
        serde_json::to_string(&report).map_err(|error| Failure::system(format!("the report: {error}")))?;
    File::create(file)
        .and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")))
        .map_err(|error| Failure::io(file, "the archive is whole, but the report cannot be written", &error))
}
