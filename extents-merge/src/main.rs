//! `extents-merge`: unites extents documents and rescales them.

use std::io::{self, Write};

use clap::Parser;
use extents::document::print::{Form, Printer};
use extents::document::summary::Summary;
use extents::document::union::Union;
use extents::extent::rescale::{MAX_UNIT_BITS, units};
use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;

/// What is read, for messages.
const DOCUMENT: &str = "an extents document";

/// Unite extents documents of one disk and rescale them to XVA's 1 MiB block
///
/// Reads what vhd-headers and qcow-headers print, and also the JSON of `qemu-img map --output=json` and of
/// `nbdinfo --map --json`. Every range is rounded outwards.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
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
    files: Vec<InputName>,
}

const EXAMPLES: &str = "\
Examples:
  vhd-headers disk.vhd | extents-merge | xva-pack /dev/disk > disk.xva
  qemu-img map --output=json disk.vmdk | extents-merge
  vhd-headers disk.vhd | extents-merge --summary > /dev/null
  extents-merge --cluster-bits 16 monday.json tuesday.json

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 damaged document,
4 too many clusters to hold";

extents::main!(merge, Output::Document);

fn merge(cli: Cli, _: Messages) -> Result<(), Failure> {
    if cli.whole_clusters && cli.output != Form::Map {
        return Err(Failure::usage("--whole-clusters goes with --output map; see --help"));
    }
    let mut files = cli.files.into_iter();
    let first = files.next().unwrap_or(InputName::Stdin);
    let mut union = Union::read(cli.cluster_bits, first.open(DOCUMENT)?, first.name())
        .map_err(|failure| first.instead(failure, DOCUMENT))?;
    for file in files {
        union.add(file.open(DOCUMENT)?, file.name()).map_err(|failure| file.instead(failure, DOCUMENT))?;
    }
    let virtual_size = union.virtual_size();
    if cli.summary {
        // A stderr that cannot be written to is no reason to withhold the document.
        let _ = write!(io::stderr(), "{}", Summary::new(union.data(), cli.cluster_bits, virtual_size));
    }
    let end =
        if cli.whole_clusters { end_of_last_cluster(virtual_size, cli.cluster_bits)? } else { virtual_size };
    // Where the bytes are in a file is not known here.
    let files = Vec::new();
    let printer = Printer { form: cli.output, virtual_size, cluster_bits: cli.cluster_bits, files };
    printer.print(union.extents(end).map(Ok), streams::stdout()?)
}

fn end_of_last_cluster(size: u64, cluster_bits: u32) -> Result<u64, Failure> {
    units(size, cluster_bits).checked_mul(1 << cluster_bits).ok_or_else(|| {
        Failure::unsupported(format!(
            "no whole cluster ends a disk of {size} bytes: its end has no 64-bit offset"
        ))
    })
}
