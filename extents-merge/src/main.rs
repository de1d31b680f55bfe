//! `extents-merge`: unites extents documents and rescales them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use extents::document::interval_writer::{DocumentWriter, Style};
use extents::document::map::writer::MapWriter;
use extents::document::print::Form;
use extents::document::summary::Summary;
use extents::document::union::Union;
use extents::extent::rescale::{MAX_UNIT_BITS, bytes_of, units};
use extents::extent::unit_set::UnitSet;
use extents::extent::{Content, Extent};
use extents::failure::Failure;
use extents::frame::stdout::{Stdout, write_failure};
use extents::frame::{self, Arguments, Messages, Verbosity};

/// Unite extents documents of one disk and rescale them to XVA's 1 MiB block
///
/// Reads what vhd-headers and qcow-headers print, and also the JSON of `qemu-img map --output=json` and of
/// `nbdinfo --map --json`. Every range is rounded outwards.
#[derive(Parser, Debug)]
#[command(name = "extents-merge", version, after_help = EXAMPLES)]
struct Cli {
    /// log2 of the unit of the output: 20 is 1 MiB, 9 is a sector
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_UNIT_BITS)))]
    cluster_bits: u32,
    /// What to print
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
    /// Let the last entry of a map end with its cluster, past the end of the disk, for readers that round down
    #[arg(long)]
    whole_clusters: bool,
    /// Show sizes and a picture of the disk on stderr
    #[arg(long)]
    summary: bool,
    /// Documents to unite; standard input when none is named, or where it is called -
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    verbosity: Verbosity,
}

const EXAMPLES: &str = "\
Examples:
  vhd-headers disk.vhd | extents-merge | xva-pack /dev/disk > disk.xva
  qemu-img map --output=json disk.vmdk | extents-merge
  vhd-headers disk.vhd | extents-merge --summary > /dev/null
  extents-merge --cluster-bits 16 monday.json tuesday.json

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 damaged document,
4 too many clusters to hold";

impl Arguments for Cli {
    const TOOL: &'static str = "extents-merge";
    const ANSWERS: bool = true;

    fn verbosity(&self) -> Verbosity {
        self.verbosity
    }
}

fn main() -> ExitCode {
    frame::run(merge)
}

fn merge(cli: Cli, _: Messages) -> Result<(), Failure> {
    if cli.whole_clusters && cli.output != Form::Map {
        return Err(Failure::usage("--whole-clusters goes with --output map; see --help"));
    }
    let mut union = Union::new(cli.cluster_bits);
    let files = if cli.files.is_empty() { vec![PathBuf::from("-")] } else { cli.files };
    for file in &files {
        read(&mut union, file)?;
    }
    let size = union.virtual_size().unwrap_or(0);
    if cli.summary {
        // A stderr that cannot be written to is no reason to withhold the document.
        let _ = write!(io::stderr(), "{}", Summary::new(union.data(), cli.cluster_bits, size));
    }
    let out = BufWriter::with_capacity(64 << 10, Stdout::open()?);
    let style = match cli.output {
        Form::Intervals => Style::Intervals,
        Form::List => Style::List,
        Form::Map => {
            let size = if cli.whole_clusters { round_up(size, cli.cluster_bits)? } else { size };
            return print_map(union.data(), size, cli.cluster_bits, out);
        }
    };
    print_document(union.data(), style, size, cli.cluster_bits, out).map_err(|error| write_failure(&error))
}

/// The end of the last cluster of a disk.
fn round_up(size: u64, cluster_bits: u32) -> Result<u64, Failure> {
    units(size, cluster_bits).checked_mul(1 << cluster_bits).ok_or_else(|| {
        Failure::unsupported(format!(
            "no whole cluster ends a disk of {size} bytes: its end has no 64-bit offset"
        ))
    })
}

fn read(union: &mut Union, file: &Path) -> Result<(), Failure> {
    if file.as_os_str() == "-" {
        return union.read(frame::input("an extents document")?, Path::new("standard input"));
    }
    let input = File::open(file).map_err(|error| Failure::io(file, "cannot open", &error))?;
    union.read(input, file)
}

fn print_document(
    data: &UnitSet,
    style: Style,
    size: u64,
    cluster_bits: u32,
    out: impl Write,
) -> io::Result<()> {
    let mut writer = DocumentWriter::new(out, style, size, cluster_bits)?;
    for (first, last) in data.runs() {
        writer.push(first, last)?;
    }
    writer.finish()
}

/// A map without offsets: where the bytes are in a file is not known here.
fn print_map(data: &UnitSet, size: u64, cluster_bits: u32, out: impl Write) -> Result<(), Failure> {
    let mut writer = MapWriter::new(out, &[])?;
    let mut end = 0;
    let data = data.runs().filter_map(|(first, last)| bytes_of(first, last, cluster_bits, size));
    for (start, stop) in data.chain([(size, size)]) {
        for (from, until, content) in
            [(end, start, Content::Absent), (start, stop, Content::Data { offset: start })]
        {
            if from < until {
                writer.push(Extent { start: from, length: until - from, layer: 0, content })?;
            }
        }
        end = stop;
    }
    writer.finish()
}
