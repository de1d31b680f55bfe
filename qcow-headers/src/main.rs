//! `qcow-headers`: prints which clusters of a QCOW2 image and its backing files hold data.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use extents::document::print::{Form, Walk};
use extents::failure::Failure;
use extents::frame::stdout::Stdout;
use extents::frame::{self, Arguments, Messages, Verbosity};
use extents::image::confinement::{Confinement, SearchPaths};
use extents::image::file::ImageFile;
use qcow_headers::chain::{Chain, Format, Options};

/// Print which clusters of a QCOW2 image hold data
///
/// Reads versions 2 and 3 with all their backing files; where a file ends before its tables or its data, that is an
/// error and not zeros. The clusters are those of the finest unit in the chain, subclusters included.
#[derive(Parser, Debug)]
#[command(name = "qcow-headers", version, after_help = EXAMPLES)]
struct Cli {
    /// What to print
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
    /// Leave out what the file system reports as holes of the image, backing and data files
    #[arg(long)]
    skip_holes: bool,
    /// Look at IMAGE alone, not at its backing files
    #[arg(long)]
    no_backing: bool,
    /// Format of backing files whose format the image above them does not say
    #[arg(long, value_enum, value_name = "FMT", conflicts_with = "no_backing")]
    backing_format: Option<Format>,
    #[command(flatten)]
    search_paths: SearchPaths,
    /// QCOW2 image, or - for a seekable standard input
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    verbosity: Verbosity,
}

const EXAMPLES: &str = "\
Examples:
  qcow-headers disk.qcow2
  qcow-headers disk.qcow2 | extents-merge | xva-pack /dev/disk > disk.xva
  qcow-headers --output map disk.qcow2 | xva-pack --map - > disk.xva
  qcow-headers --search-path /srv/templates overlay.qcow2

Exit status: 0 done, 1 system failure or a file not found, 2 wrong usage,
3 damaged image, 4 sound image that cannot be answered for (read the whole
disk instead)";

impl Arguments for Cli {
    const TOOL: &'static str = "qcow-headers";
    const ANSWERS: bool = true;

    fn verbosity(&self) -> Verbosity {
        self.verbosity
    }
}

fn main() -> ExitCode {
    frame::run(|cli, messages| print_headers(&cli, messages))
}

fn print_headers(cli: &Cli, messages: Messages) -> Result<(), Failure> {
    let map = cli.output == Form::Map;
    if map && cli.image.as_os_str() == "-" {
        return Err(Failure::usage("a map names its files, and standard input has no name: expected a file"));
    }
    let options =
        Options { backing: !cli.no_backing, backing_format: cli.backing_format, data: map || cli.skip_holes };
    let image = ImageFile::open(&cli.image)?;
    let chain = Chain::open(image, &Confinement::new(&cli.image, &cli.search_paths)?, options)?;
    describe(&chain, messages);
    if map {
        chain.refuse_ciphertext("a map would lead to ciphertext; the other forms of --output can be had")?;
    }
    if cli.skip_holes {
        chain.refuse_ciphertext("a hole of the file is not zeros for the guest; leave --skip-holes out")?;
    }
    let walk = Walk {
        virtual_size: chain.virtual_size(),
        cluster_bits: chain.cluster_bits(cli.skip_holes),
        files: if map { chain.data_paths() } else { Vec::new() },
    };
    let extents = if cli.skip_holes { chain.extents_without_holes() } else { chain.extents() };
    walk.print(cli.output, extents, Stdout::open()?)
}

/// Says with `-v` what the chain consists of.
fn describe(chain: &Chain, messages: Messages) {
    let note = |path: &Path, what: String| messages.note(format!("{}: {what}", path.display()));
    for layer in chain.images() {
        let geometry = layer.geometry();
        note(
            layer.file.path(),
            format!(
                "QCOW2 version {}, {} bytes, clusters of {} bytes, units of {} bytes",
                layer.first_cluster.header.version,
                geometry.virtual_size,
                geometry.cluster_size(),
                1_u64 << geometry.unit_bits()
            ),
        );
        if layer.first_cluster.is_dirty() {
            note(layer.file.path(), "was not closed properly; its tables are valid all the same".to_owned());
        }
        if let Some(file) = &layer.data_file {
            note(file.path(), format!("external data file, {} bytes", file.size()));
        }
    }
    if let Some(raw) = chain.raw() {
        note(raw.path(), format!("raw backing file, {} bytes", raw.size()));
    }
}
