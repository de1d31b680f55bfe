//! `extents-merge`: unites extents documents and rescales them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use extents::dialect::Union;
use extents::document::{DocumentWriter, Style};
use extents::failure::Failure;
use extents::filter::{self, Arguments, Messages, Verbosity};
use extents::map::MapWriter;
use extents::piece::{Content, Piece};
use extents::print::Form;
use extents::rescale::{MAX_UNIT_BITS, bytes_of};
use extents::stdout::{Stdout, write_failure};

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
  extents-merge --cluster-bits 16 monday.json tuesday.json

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 damaged document, 4 too many clusters to hold";

impl Arguments for Cli {
    const TOOL: &'static str = "extents-merge";

    fn verbosity(&self) -> Verbosity {
        self.verbosity
    }
}

fn main() -> ExitCode {
    filter::run(merge)
}

fn merge(cli: Cli, _: Messages) -> Result<(), Failure> {
    let mut union = Union::new(cli.cluster_bits);
    let files = if cli.files.is_empty() { vec![PathBuf::from("-")] } else { cli.files };
    for file in &files {
        read(&mut union, file)?;
    }
    print(&union, cli.output, cli.cluster_bits, BufWriter::with_capacity(64 << 10, Stdout::open()?))
}

fn read(union: &mut Union, file: &Path) -> Result<(), Failure> {
    if file.as_os_str() == "-" {
        filter::refuse_terminal_input("an extents document")?;
        return union
            .read(BufReader::with_capacity(64 << 10, std::io::stdin().lock()), Path::new("standard input"));
    }
    let input = File::open(file).map_err(|error| Failure::io(file, "cannot open", &error))?;
    union.read(BufReader::with_capacity(64 << 10, input), file)
}

fn print(union: &Union, form: Form, cluster_bits: u32, out: impl Write) -> Result<(), Failure> {
    let size = union.virtual_size().unwrap_or(0);
    let style = match form {
        Form::Intervals => Style::Intervals,
        Form::List => Style::List,
        Form::Map => return print_map(union, size, cluster_bits, out),
    };
    let document = || {
        let mut writer = DocumentWriter::new(out, style, size, cluster_bits)?;
        for (first, last) in union.data().runs() {
            writer.push(first, last)?;
        }
        writer.finish()
    };
    document().map_err(|error| write_failure(&error))
}

/// A map without offsets: where the bytes are in a file is not known here.
fn print_map(union: &Union, size: u64, cluster_bits: u32, out: impl Write) -> Result<(), Failure> {
    let mut writer = MapWriter::new(out, &[])?;
    let mut end = 0;
    let data = union.data().runs().filter_map(|(first, last)| bytes_of(first, last, cluster_bits, size));
    for (start, stop) in data.chain([(size, size)]) {
        for (from, until, content) in
            [(end, start, Content::Absent), (start, stop, Content::Data { offset: start })]
        {
            if from < until {
                writer.push(Piece { start: from, length: until - from, layer: 0, content })?;
            }
        }
        end = stop;
    }
    writer.finish()
}
