//! `xva-pack`: writes a disk as the members of an XVA.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use extents::failure::{Failure, Status};
use extents::filter::{self, Arguments, Messages, Verbosity};
use extents::image_file::ImageFile;
use extents::stdout::Stdout;
use extents::unit_set::UnitSet;
use xva_pack::block::{Fit, Prefix};
use xva_pack::checksum::Algorithm;
use xva_pack::disk::{DiskPlan, all_blocks};
use xva_pack::extents_source::Extents;
use xva_pack::files::Files;
use xva_pack::pack::{Settings, pack};
use xva_pack::pipe;
use xva_pack::workers::Sealing;

/// Write a disk as the members of an XVA archive
///
/// Reads the blocks of DISK that the extents on standard input name, and writes them and their checksums to standard
/// output. Nothing is written before the extents are read to their end and found sound.
#[derive(Parser, Debug)]
#[command(name = "xva-pack", version, after_help = EXAMPLES)]
struct Cli {
    /// Raw disk: a file or block device
    disk: PathBuf,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    archive: Archive,
    /// Worker threads; by default one for each processor, up to 8. At most 16 are started
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    jobs: Option<usize>,
    /// Write the archive even to a terminal
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    verbosity: Verbosity,
}

/// How it is known which blocks hold data.
#[derive(clap::Args, Debug)]
struct Source {
    /// Read the extents from FILE, not from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "scan")]
    extents: Option<PathBuf>,
    /// Read no extents: read the whole disk and leave out zero blocks
    #[arg(long)]
    scan: bool,
    /// If the extents are missing or unreadable: warn, then do as with --scan
    #[arg(long)]
    fallback_scan: bool,
}

/// What goes into the archive.
#[derive(clap::Args, Debug)]
struct Archive {
    /// Directory in the archive: the id of the VDI in ova.xml
    #[arg(long, value_name = "ID", default_value = "Ref:0", value_parser = Prefix::parse)]
    prefix: Prefix,
    /// Checksum of every block
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t)]
    checksum: Algorithm,
    /// Write blocks that are all zero too
    #[arg(long)]
    keep_zeros: bool,
    /// Fill the last block up to 1 MiB with zeros
    #[arg(long)]
    pad: bool,
    /// Leave the end-of-tar off: another xva-pack follows on the same output
    #[arg(long)]
    no_trailer: bool,
}

const EXAMPLES: &str = "\
Examples:
  vhd-headers disk.vhd | extents-merge | xva-pack /dev/disk | zstd > disk.xva.zst
  xva-pack --scan disk.raw > disk.xva

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 damaged extents or extents of another disk, 4 a disk that an
XVA can not hold. After a failure the archive has no end-of-tar.";

impl Arguments for Cli {
    const TOOL: &'static str = "xva-pack";

    fn verbosity(&self) -> Verbosity {
        self.verbosity
    }
}

/// A number of threads, at least one.
fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number of threads, 1 or more".to_owned()),
        Ok(jobs) => Ok(jobs),
    }
}

/// More workers than 8 do not write faster than a pipe is read.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().min(8))
}

fn main() -> ExitCode {
    filter::run(run)
}

fn run(cli: Cli, messages: Messages) -> Result<(), Failure> {
    if !cli.force && std::io::stdout().is_terminal() {
        return Err(Failure::usage(
            "standard output is a terminal: expected a pipe or file; --force overrides",
        ));
    }
    let disk = ImageFile::open(&cli.disk)?;
    let fit = Fit { pad: cli.archive.pad, others_follow: cli.archive.no_trailer, expected: None };
    let archived_size = fit.archived_size(disk.size()).map_err(|failure| failure.in_file(disk.path()))?;
    let blocks = blocks(&cli, &disk, messages)?;
    let size = disk.size();
    let (files, number) = Files::of_disk(disk);
    let plan = DiskPlan::new(blocks, files.get(number)?, number, archived_size);
    messages.note(format!("{} blocks to read of {size} bytes", plan.blocks().len()));
    let settings = Settings {
        sealing: Sealing {
            prefix: cli.archive.prefix,
            algorithm: cli.archive.checksum,
            keep_zeros: cli.archive.keep_zeros,
        },
        jobs: cli.jobs.unwrap_or_else(default_jobs),
        others_follow: cli.archive.no_trailer,
    };
    let out = Stdout::open()?;
    pipe::enlarge(&out);
    let counts = pack(Box::new(plan), &files, &settings, out)?;
    messages.note(format!(
        "{} blocks written, {} zero blocks left out, {} bytes read, {} bytes written",
        counts.blocks_written, counts.zero_blocks_left_out, counts.bytes_read, counts.bytes_written
    ));
    Ok(())
}

/// The blocks to read: those of the extents, or all.
fn blocks(cli: &Cli, disk: &ImageFile, messages: Messages) -> Result<UnitSet, Failure> {
    if cli.source.scan {
        return Ok(all_blocks(disk.size()));
    }
    let source = cli.source.extents.as_deref().unwrap_or(Path::new("-"));
    if source.as_os_str() == "-" && cli.disk.as_os_str() == "-" {
        return Err(Failure::usage("DISK and the extents can not both be standard input; see --extents"));
    }
    match Extents::read(source) {
        Ok(extents) if extents.virtual_size == disk.size() => Ok(extents.blocks),
        Ok(extents) => Err(Failure::damaged(format!(
            "the extents are about another disk: found virtual_size {}, expected {} as the size of {}",
            extents.virtual_size,
            disk.size(),
            disk.path().display()
        ))
        .in_file(if source.as_os_str() == "-" { Path::new("standard input") } else { source })),
        Err(failure) if cli.source.fallback_scan && failure.status() != Status::Usage => {
            messages.warn(format!("{failure}; reading the whole disk instead"));
            Ok(all_blocks(disk.size()))
        }
        Err(failure) => Err(failure),
    }
}
