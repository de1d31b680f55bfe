//! `qcow-headers`: prints which clusters of a QCOW2 image and its backing files hold data.

use clap::Parser;
use extents::document::print::Form;
use extents::failure::Failure;
use extents::frame::arguments::SearchPaths;
use extents::frame::disk_output::DiskOutput;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::image::confinement::Confinement;
use qcow_headers::chain::{Chain, Options};
use qcow_headers::format::Format;
use qcow_headers::layer::Layer;

/// Print which clusters of a QCOW2 image hold data
///
/// Reads versions 2 and 3 with all their backing files; where a file ends before its tables or its data, that is an
/// error and not zeros. The clusters are those of the finest unit in the chain, subclusters included.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
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
    image: InputName,
}

const EXAMPLES: &str = "\
Examples:
  qcow-headers disk.qcow2
  qcow-headers d.qcow2 | extents-merge | xva-pack /dev/vg/disk > d.xva
  qcow-headers --output map disk.qcow2 | xva-pack --map - > disk.xva
  qcow-headers --search-path /srv/templates overlay.qcow2

Exit status: 0 done, 1 system failure or a file not found, 2 wrong usage,
3 damaged image, 4 sound image that cannot be answered for (read the whole
disk instead)";

extents::main!(|cli: Cli, messages| headers(&cli, messages), Output::Document);

fn headers(cli: &Cli, messages: Messages) -> Result<(), Failure> {
    let image = cli.image.open_image_for(cli.output)?;
    let confinement = Confinement::new(cli.image.path(), &cli.search_paths.directories)?;
    let confinement = confinement.at_rest(cli.output == Form::Map);
    let reads_data = cli.output == Form::Map || cli.skip_holes;
    let options = Options { backing: !cli.no_backing, backing_format: cli.backing_format, data: reads_data };
    let chain = Chain::open(image, &confinement, options)?;
    chain.layers().iter().flat_map(Layer::notes).for_each(|note| messages.note(note));
    chain.layers().iter().flat_map(Layer::warnings).for_each(|warning| messages.warn(warning));
    // A hole of an encrypted file is not zeros for the guest.
    if reads_data {
        chain.check_readable()?;
    }
    let output = DiskOutput {
        virtual_size: chain.virtual_size(),
        cluster_bits: chain.cluster_bits(),
        files: if reads_data { chain.data_files()? } else { Vec::new() },
    };
    output.print(cli.output, cli.skip_holes, chain.extents())
}
