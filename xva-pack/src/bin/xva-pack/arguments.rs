//! What the user can ask for.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use extents::failure::Failure;
use extents::frame::arguments::{NoOutput, no_output};
use extents::frame::input::InputName;
use xva_pack::host::progress::Destination;
use xva_pack::pack::copy::Settings;
use xva_pack::pack::sealing::Sealing;
use xva_pack::pack::source::Request;
use xva_pack::xva::checksum::Algorithm;
use xva_pack::xva::member_name::Prefix;

/// Write a disk as the members of an XVA archive
///
/// Reads the blocks of DISK that the extents on standard input name, and writes them with their checksums to standard
/// output. Nothing is written before the extents are read to their end and found sound, and after a failure no
/// end-of-tar is written.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Raw disk: a file or block device; with --scan also - for a pipe on standard input
    #[arg(required_unless_present = "map", conflicts_with = "map")]
    pub(crate) disk: Option<InputName>,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) archive: Archive,
    #[command(flatten)]
    pub(crate) metadata: Metadata,
    #[command(flatten)]
    pub(crate) operation: Operation,
}

/// Which blocks are read.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "What is read")]
pub(crate) struct Input {
    /// Read the extents from FILE, not from standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scan", "map"])]
    pub(crate) extents: Option<InputName>,
    /// Read the disk from the image files that the map FILE names, as vhd-headers and qcow-headers print it with
    /// --output map; - is standard input. There is no DISK then. A file that is not in the state in which they opened it
    /// is status 1
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scan", "fallback_scan"])]
    pub(crate) map: Option<InputName>,
    /// Read no extents: read the whole disk and leave out zero blocks
    #[arg(long)]
    pub(crate) scan: bool,
    /// With --scan: skip what the file system reports as holes
    #[arg(long, requires = "scan")]
    pub(crate) skip_holes: bool,
    /// If the extents are missing, cut off or unreadable: warn, then do as with --scan
    #[arg(long)]
    pub(crate) fallback_scan: bool,
}

/// What goes into the archive.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "What is written")]
pub(crate) struct Archive {
    /// Directory in the archive: the id of the VDI in ova.xml [default: with --ova its first disk, else Ref:0]
    #[arg(long, value_name = "ID", value_parser = Prefix::parse)]
    pub(crate) prefix: Option<Prefix>,
    /// Checksum of every block
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t)]
    pub(crate) checksum: Algorithm,
    /// Write blocks that are all zero too
    #[arg(long)]
    pub(crate) keep_zeros: bool,
    /// Fill the last block up to 1 MiB with zeros
    #[arg(long)]
    pub(crate) pad: bool,
    /// Leave the end-of-tar off: another xva-pack follows on the same output
    #[arg(long)]
    pub(crate) no_trailer: bool,
}

/// What the metadata says about the disk.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Metadata")]
pub(crate) struct Metadata {
    /// Put FILE in as ova.xml, first, if it promises this disk with its size, as its first
    #[arg(long, value_name = "FILE", conflicts_with = "check_ova")]
    pub(crate) ova: Option<InputName>,
    /// Check that FILE promises this disk with its size, without writing it: for the disks that follow
    #[arg(long, value_name = "FILE")]
    pub(crate) check_ova: Option<InputName>,
}

/// How the work is done and told.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "How it is done")]
pub(crate) struct Operation {
    /// Print how many bytes would be written, and stop: exact with --keep-zeros, else an upper bound
    #[arg(long, conflicts_with_all = ["report", "progress"])]
    pub(crate) measure: bool,
    /// Write what was done to FILE, as JSON, with the CRC-32 of the whole disk
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(report_name))]
    pub(crate) report: Option<PathBuf>,
    /// Draw a bar on stderr if that is a terminal, or write N/100 lines to the descriptor FD: of what is read, or where
    /// that is not known, as with a map from a pipe, of the whole disk, zeros included. 100 comes when all is written
    #[arg(long, value_name = "FD", num_args = 0..=1, require_equals = true, default_missing_value = Destination::BAR,
        value_parser = Destination::parse)]
    pub(crate) progress: Option<Destination>,
    /// After SECS seconds without output write the next block even if it is zero, for connections that are cut when
    /// idle
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keepalive: Option<u64>,
    /// Threads that read and hash, of which one writes too; by default one for each processor, from 2 to 8. At most 16
    /// are used
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Let the kernel forget the pages that were read
    #[arg(long)]
    pub(crate) drop_cache: bool,
    /// Write the archive even to a terminal, and the report over a file that is none
    #[arg(long)]
    pub(crate) force: bool,
    /// As other programs have it: refused, with the sentence where the archive goes
    #[arg(short, long, hide = true, num_args = 0..=1, value_parser = no_output("xva-pack"))]
    output: Option<NoOutput>,
}

/// Standard output is the archive's: `-`, which elsewhere is a standard stream, would be a file that nobody expects.
fn report_name(name: PathBuf) -> Result<PathBuf, String> {
    if name.as_os_str() == "-" {
        return Err(
            "the archive goes to standard output: expected a file, or ./- for one called -".to_owned()
        );
    }
    Ok(name)
}

const EXAMPLES: &str = "\
Examples:
  vhd-headers disk.vhd | extents-merge | xva-pack /dev/vg/disk > disk.xva
  qcow-headers --output map disk.qcow2 | xva-pack --map - > disk.xva
  zstdcat disk.raw.zst | xva-pack --scan - > disk.xva
  { xva-pack --pad --ova ova.xml --no-trailer a.raw < a.json &&
    xva-pack --pad --check-ova ova.xml --prefix Ref:001 b.raw < b.json
  } > vm.xva

Exit status: 0 done, 1 system failure or a file that changed, 2 wrong usage,
3 damaged input or input about another disk, 4 a disk that an XVA cannot hold,
or a map that says too little. After a failure the archive has no end-of-tar.";

impl Input {
    /// What is to be read, `disk` if that is given.
    pub(crate) fn request(self, disk: Option<InputName>) -> Result<Request, Failure> {
        if let Some(map) = self.map {
            return Ok(Request::Map { map });
        }
        let disk = disk.ok_or_else(|| Failure::usage("expected DISK or --map; see --help"))?;
        if self.scan {
            return Ok(Request::Scan { disk, skip_holes: self.skip_holes });
        }
        let document = self.extents.unwrap_or(InputName::Stdin);
        Ok(Request::Extents { disk, document, fallback: self.fallback_scan })
    }
}

impl Metadata {
    /// What it is and its file, if there is one.
    pub(crate) fn input(&self) -> Option<(&'static str, &InputName)> {
        self.ova.as_ref().or(self.check_ova.as_ref()).map(|file| ("ova.xml", file))
    }
}

/// How to pack.
pub(crate) fn settings(archive: &Archive, prefix: Prefix, operation: &Operation) -> Settings {
    // Two read and write at the same time also where there is one processor. Measured on two only; 8 keep the memory of the
    // blocks at 16 MiB.
    let processors = || std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
    Settings {
        sealing: Sealing {
            prefix,
            algorithm: archive.checksum,
            keep_zeros: archive.keep_zeros,
            with_crc: operation.report.is_some(),
        },
        jobs: operation.jobs.map_or_else(processors, usize::from),
        drop_cache: operation.drop_cache,
        keepalive: operation.keepalive.map(Duration::from_secs),
        others_follow: archive.no_trailer,
    }
}
