//! `vhd-headers`: prints which parts of a VHD and its parents hold data.

use clap::Parser;
use extents::document::print::Form;
use extents::failure::Failure;
use extents::frame::arguments::SearchPaths;
use extents::frame::disk_output::DiskOutput;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::image::confinement::Confinement;
use vhd_headers::chain::{Chain, Options};
use vhd_headers::granularity::Granularity;
use vhd_headers::layer::Layer;

/// log2 of a sector.
const SECTOR_BITS: u32 = 9;

/// Print which blocks of a VHD hold data
///
/// Reads fixed, dynamic and differencing disks, the latter with their whole chain of parents, and prints the extents
/// document that extents-merge and xva-pack read.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// What to print
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
    /// Read the sector bitmaps too, and answer in sectors of 512 bytes
    #[arg(long)]
    sectors: bool,
    /// Leave out what the file system reports as holes
    #[arg(long)]
    skip_holes: bool,
    /// Look at IMAGE alone, not at its parents
    #[arg(long)]
    no_parents: bool,
    #[command(flatten)]
    search_paths: SearchPaths,
    /// VHD file or device; - is standard input, when it can seek
    #[arg(value_name = "IMAGE")]
    image: InputName,
}

const EXAMPLES: &str = "\
Examples:
  vhd-headers disk.vhd | extents-merge | xva-pack /dev/vg/disk > disk.xva
  vhd-headers --output map disk.vhd | xva-pack --map - > disk.xva
  vhd-headers --search-path /dev/mapper /dev/VG_XenStorage-SR/VHD-UUID

Exit status: 0 done, 1 system failure or parent not found, 2 wrong usage,
3 damaged image, 4 sound image that cannot be answered for (read the whole
disk instead)";

extents::main!(|cli: Cli, messages| headers(&cli, messages), Output::Document);

fn headers(cli: &Cli, messages: Messages) -> Result<(), Failure> {
    let image = cli.image.open_image_for(cli.output)?;
    let confinement = Confinement::new(cli.image.path(), &cli.search_paths.directories)?;
    let confinement = confinement.at_rest(cli.output == Form::Map);
    let chain = Chain::open(image, &confinement, Options { parents: !cli.no_parents })?;
    chain.layers().iter().flat_map(Layer::notes).for_each(|note| messages.note(note));
    // A hole of an encrypted file is not zeros for the guest.
    if cli.output == Form::Map || cli.skip_holes {
        chain.check_readable()?;
    }
    print(cli, &chain)?;
    // Only now: a failure says one line.
    chain.layers().iter().flat_map(Layer::warnings).for_each(|warning| messages.warn(warning));
    Ok(())
}

fn print(cli: &Cli, chain: &Chain) -> Result<(), Failure> {
    // A hole below a block that hides its parent may be sectors that do not: only the bitmaps tell.
    let bitmaps = cli.sectors || cli.output == Form::Map || (cli.skip_holes && chain.layers().len() > 1);
    let extents = chain.extents(if bitmaps { Granularity::Sector } else { Granularity::Block })?;
    let cluster_bits = if cli.sectors { SECTOR_BITS } else { chain.cluster_bits() };
    let output = DiskOutput { virtual_size: chain.virtual_size(), cluster_bits, files: chain.data_files() };
    output.print(cli.output, cli.skip_holes, extents)
}
