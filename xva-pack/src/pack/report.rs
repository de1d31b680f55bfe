//! `--report`: what was done, as JSON, for the program that keeps the archive.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use extents::failure::Failure;
use rustix::fs::{Access, access};
use serde::Serialize;
use serde_json::Value;

use crate::host::destination::{Destination, Kind};
use crate::host::whole_file::WholeFile;
use crate::pack::copy::Packed;
use crate::pack::source::Origin;
use crate::pack::writer::Counts;
use crate::xva::crc32::Crc32;

/// Bytes of a report, whose longest part is the name of a file.
const LONGEST: u64 = 64 << 10;

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

/// Where a report will go.
#[derive(Debug)]
pub struct ReportFile {
    name: PathBuf,
    out: Out,
    /// It replaces a file that is no report.
    is_foreign: bool,
}

#[derive(Debug)]
enum Out {
    /// A file, which replaces the one that is there when all is in it.
    Whole(WholeFile),
    /// A file in a folder where none can be created.
    InPlace,
    /// A pipe or a device.
    Stream,
}

impl ReportFile {
    /// Makes sure that a report can be written to `name`. Nothing is there before it is: a failed export leaves no report.
    ///
    /// Status 1 if it cannot, 2 if it would replace the archive or a file that is read.
    pub fn open(name: &Path) -> Result<Self, Failure> {
        if name == Path::new("-") {
            let what = "the archive goes to standard output: expected another file for the report";
            return Err(Failure::usage(what));
        }
        let destination = Destination::of(name)?;
        let is_foreign = matches!(&destination.kind, Kind::File(found) if !is_report(name, found.len()));
        let (exists, is_stream) =
            (!matches!(destination.kind, Kind::New), matches!(destination.kind, Kind::Device | Kind::Stream));
        if exists {
            access(name, Access::WRITE_OK)
                .map_err(|error| Failure::io(name, "cannot write the report", &error.into()))?;
        }
        if is_stream {
            return Ok(ReportFile { name: name.to_path_buf(), out: Out::Stream, is_foreign });
        }
        let out = match WholeFile::create(destination, true) {
            Err(_) if exists => Out::InPlace,
            created => Out::Whole(created?),
        };
        Ok(ReportFile { name: name.to_path_buf(), out, is_foreign })
    }

    /// Status 2 if it would replace a file that is no report. To be asked when all inputs are open, of which none is replaced by
    /// any option.
    pub fn check_replaced(&self) -> Result<(), Failure> {
        if !self.is_foreign {
            return Ok(());
        }
        let what = "is not a report: expected a new name, or a report to be replaced; --force overwrites it";
        Err(Failure::usage(what).in_file(&self.name))
    }

    /// Writes the report. The archive is whole by then, so that a failure here says so.
    pub fn write(self, origin: &Origin, packed: &Packed, time: Duration) -> Result<(), Failure> {
        let report = Report {
            source: origin.name(),
            reason: origin.reason(),
            counts: packed.counts,
            seconds: (time.as_secs_f64() * 1000.0).round() / 1000.0,
            disk: packed.disk.as_ref().map(Checked::of),
            archived: packed.archived.as_ref().map(Checked::of),
        };
        let text = serde_json::to_string(&report)
            .map_err(|error| Failure::system(format!("the report: {error}")))?;
        self.out.write(&self.name, format!("{text}\n").as_bytes()).map_err(|error| {
            Failure::io(&self.name, "the archive is whole, but the report cannot be written", &error)
        })
    }
}

/// Whether the file `name`, of `size` bytes, is one that [`ReportFile::write`] wrote, or empty: nothing is lost with it. What cannot
/// be read is for others to refuse.
fn is_report(name: &Path, size: u64) -> bool {
    if size > LONGEST {
        return false;
    }
    let is_ours = |text: Vec<u8>| {
        let report: Option<serde_json::Map<String, Value>> = serde_json::from_slice(&text).ok();
        report
            .is_some_and(|report| ["source", "reason", "seconds"].iter().all(|key| report.contains_key(*key)))
    };
    size == 0 || std::fs::read(name).is_ok_and(is_ours)
}

impl Out {
    fn write(self, name: &Path, bytes: &[u8]) -> io::Result<()> {
        match self {
            Out::Whole(file) => file.file().write_all(bytes).and_then(|()| file.finish()),
            Out::InPlace => File::create(name)?.write_all(bytes),
            Out::Stream => OpenOptions::new().append(true).open(name)?.write_all(bytes),
        }
    }
}
