//! `xva-pack`: writes a disk as the members of an XVA.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::host::pipe;
use xva_pack::host::progress::{Destination, Progress};
use xva_pack::ova::promise::{self, Place};
use xva_pack::pack::copy::{Settings, pack};
use xva_pack::pack::source::{Request, Source};
use xva_pack::pack::workers::Sealing;
use xva_pack::pack::{measure, report};
use xva_pack::xva::block::{Fit, Prefix};
use xva_pack::xva::checksum::Algorithm;

/// Write a disk as the members of an XVA archive
///
/// Reads the blocks of DISK that the extents on standard input name, and writes them with their checksums to standard
/// output. Nothing is written before the extents are read to their end and found sound, and after a failure no
/// end-of-tar is written.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// Raw disk: a file or block device; with --scan also - for a pipe on standard input
    #[arg(required_unless_present = "map", conflicts_with = "map")]
    disk: Option<InputName>,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    archive: Archive,
    #[command(flatten)]
    metadata: Metadata,
    #[command(flatten)]
    way: Way,
}

/// Which blocks are read.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "What is read")]
struct What {
    /// Read the extents from FILE, not from standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scan", "map"])]
    extents: Option<InputName>,
    /// Read the disk from the image files that the map FILE names, as vhd-headers and qcow-headers print it with
    /// --output map; - is standard input. There is no DISK then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scan", "fallback_scan"])]
    map: Option<InputName>,
    /// Read no extents: read the whole disk and leave out zero blocks
    #[arg(long)]
    scan: bool,
    /// With --scan: skip what the file system reports as holes
    #[arg(long, requires = "scan")]
    skip_holes: bool,
    /// If the extents are missing, cut off or unreadable: warn, then do as with --scan
    #[arg(long)]
    fallback_scan: bool,
}

/// What goes into the archive.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "What is written")]
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

/// What the metadata says about the disk.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Metadata")]
struct Metadata {
    /// Put FILE in as ova.xml, first, if it promises this disk with its size, as its first
    #[arg(long, value_name = "FILE", conflicts_with = "check_ova")]
    ova: Option<InputName>,
    /// Check that FILE promises this disk with its size, without writing it: for the disks that follow
    #[arg(long, value_name = "FILE")]
    check_ova: Option<InputName>,
}

/// How the work is done and told.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "How it is done")]
struct Way {
    /// Print how many bytes would be written, and stop: exact with --keep-zeros, else an upper bound
    #[arg(long, conflicts_with_all = ["report", "progress"])]
    measure: bool,
    /// Write what was done to FILE, as JSON, with the CRC-32 of the whole disk
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Draw a bar on stderr if that is a terminal, or write N/100 lines to the descriptor FD
    #[arg(long, value_name = "FD", num_args = 0..=1, require_equals = true, default_missing_value = Destination::BAR,
        value_parser = Destination::parse)]
    progress: Option<Destination>,
    /// After SECS seconds without output write the next block even if it is zero, for connections that are cut when
    /// idle
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    keepalive: Option<u64>,
    /// Worker threads; by default one for each processor, up to 8. At most 16 are started
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Let the kernel forget the pages that were read
    #[arg(long)]
    drop_cache: bool,
    /// Write the archive even to a terminal
    #[arg(long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  vhd-headers disk.vhd | extents-merge | xva-pack /dev/disk | zstd > disk.xva.zst
  qcow-headers --output map disk.qcow2 | xva-pack --map - > disk.xva
  zstdcat disk.raw.zst | xva-pack --scan - > disk.xva
  { xva-pack --pad --ova ova.xml --prefix Ref:000 --no-trailer a.raw < a.json &&
    xva-pack --pad --check-ova ova.xml --prefix Ref:001 b.raw < b.json; } > vm.xva

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 damaged input or input
about another disk, 4 a disk that an XVA cannot hold, or a map that says too
little. After a failure the archive has no end-of-tar.";

extents::main!(run, Output::Other);

fn run(cli: Cli, messages: Messages) -> Result<(), Failure> {
    let begun = Instant::now();
    if !cli.way.measure && !cli.way.force && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "standard output is a terminal: expected a pipe or file; --force overrides",
        ));
    }
    let request = cli.what.request(cli.disk);
    let inputs: Vec<_> = request.inputs().into_iter().chain(cli.metadata.input()).collect();
    check_stdin(&inputs)?;
    if let Some(file) = &cli.way.report {
        report::check_writable(file, inputs.iter().filter_map(|(_, input)| input.path()))?;
    }
    let (xml, expected) = cli.metadata.read(&cli.archive, messages)?;
    let fit = Fit { pad: cli.archive.pad, others_follow: cli.archive.no_trailer, expected };
    let mut source = Source::open(&request, fit, !cli.way.measure, messages)?;
    if cli.way.measure {
        return print_measure(&mut source, xml.as_deref(), fit.others_follow);
    }
    messages.note(format!("{}: {}", source.origin.name(), source.origin.reason()));
    let origin = source.origin.clone();
    let mut progress = Progress::new(cli.way.progress)?;
    let out = streams::stdout()?;
    pipe::enlarge(&out);
    let packed = pack(source, &settings(cli.archive, &cli.way), xml.as_deref(), &mut progress, out)?;
    let counts = packed.counts;
    messages.note(format!(
        "{} blocks written, {} zero blocks left out, {} bytes read, {} bytes written",
        counts.blocks_written, counts.zero_blocks_left_out, counts.bytes_read, counts.bytes_written
    ));
    match &cli.way.report {
        Some(file) => report::write(file, &origin, &packed, begun.elapsed()),
        None => Ok(()),
    }
}

impl What {
    fn request(self, disk: Option<InputName>) -> Request {
        if let Some(map) = self.map {
            return Request::Map { map };
        }
        let disk = disk.unwrap_or(InputName::Stdin);
        if self.scan {
            return Request::Scan { disk, skip_holes: self.skip_holes };
        }
        let document = self.extents.unwrap_or(InputName::Stdin);
        Request::Extents { disk, document, fallback: self.fallback_scan }
    }
}

impl Metadata {
    /// The file, and what it is.
    fn input(&self) -> Option<(&'static str, &InputName)> {
        self.ova.as_ref().or(self.check_ova.as_ref()).map(|file| ("ova.xml", file))
    }

    /// The metadata to be written, and the size that it promises.
    fn read(&self, archive: &Archive, messages: Messages) -> Result<(Option<Vec<u8>>, Option<u64>), Failure> {
        let Some((_, file)) = self.input() else { return Ok((None, None)) };
        let first = self.ova.is_some();
        let place = Place { first, last: !archive.no_trailer };
        let xml = promise::load(file)?;
        let size = promise::promised_size(&xml, archive.prefix.as_str(), place, messages);
        Ok((first.then_some(xml), Some(size.map_err(|failure| failure.in_file(file.name()))?)))
    }
}

/// Standard input can be one thing only.
fn check_stdin(inputs: &[(&'static str, &InputName)]) -> Result<(), Failure> {
    let stdin: Vec<_> = inputs.iter().filter(|(_, input)| **input == InputName::Stdin).collect();
    match stdin[..] {
        [(first, _), (second, _), ..] => {
            Err(Failure::usage(format!("{first} and {second} cannot both be standard input; see --help")))
        }
        _ => Ok(()),
    }
}

fn settings(archive: Archive, way: &Way) -> Settings {
    // Measured on two processors only; 8 keep the memory of the blocks at 16 MiB.
    let processors = || std::thread::available_parallelism().map_or(2, |n| n.get().min(8));
    Settings {
        sealing: Sealing {
            prefix: archive.prefix,
            algorithm: archive.checksum,
            keep_zeros: archive.keep_zeros,
            with_crc: way.report.is_some(),
        },
        jobs: way.jobs.map_or_else(processors, usize::from),
        drop_cache: way.drop_cache,
        keepalive: way.keepalive.map(Duration::from_secs),
        others_follow: archive.no_trailer,
    }
}

fn print_measure(source: &mut Source, xml: Option<&[u8]>, others_follow: bool) -> Result<(), Failure> {
    let bytes = measure::archive(&mut *source.plan, xml.map(<[u8]>::len), others_follow)?;
    writeln!(streams::stdout()?, "{bytes}").map_err(|error| Failure::output(&error))
}
