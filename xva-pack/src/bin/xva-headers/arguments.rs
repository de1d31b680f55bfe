//! What `xva-headers` is asked to do.

use clap::Parser;
use extents::document::print::Form;
use extents::frame::input::InputName;

/// Print which blocks of a disk inside an XVA hold data
///
/// Reads the headers of an archive, and prints the extents document that extents-merge and xva-pack
/// read. The archive can then be read as an image is: packed anew, or served as a disk, without unpacking it.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// The disk: its directory in the archive; only where there is more than one
    #[arg(long, value_name = "REF")]
    pub(crate) disk: Option<String>,
    /// What to print
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Form,
    /// Print the disks instead, a JSON object on a line for each
    #[arg(long, conflicts_with_all = ["disk", "output"])]
    pub(crate) list: bool,
    /// The archive, a file or block device; - is standard input, when it can seek
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: InputName,
}

const EXAMPLES: &str = "\
Examples:
  xva-headers --list vm.xva
  xva-headers --output map --disk Ref:000 vm.xva | xva-pack --map - > disk.xva
  xva-headers --output map vm.xva > map && nbdkit -U - python \\
    scripts/nbdkit-map map=map --run 'qemu-img convert -O qcow2 \"$uri\" d.qcow2'

What it answers is right if the archive is: it holds to every rule of xva-unpack
--list, but compares no checksum. xva-unpack --verify does. An archive may be
compressed in zstd frames, each with whole blocks, as xva-zstd writes it; then
all of it is decompressed, on all cores.

Exit status: 0 done, 1 system failure or an archive that changes, 2 wrong usage
or more than one disk, 3 damaged archive, 4 compressed in one piece or beyond
what is supported";
