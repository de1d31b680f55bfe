//! What `xva-unpack` is asked to do.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use extents::failure::Failure;
use extents::frame::input::InputName;
use xva_pack::host::progress::Destination;
use xva_pack::unpack::output_name::OutputName;
use xva_pack::unpack::sample::{Sample, Share};
use xva_pack::unpack::task::Task;

/// List, check and unpack the disks of an XVA
///
/// Reads an archive in one pass from a file or a pipe, and checks it as xapi's importer does. What is compressed with zstd or
/// gzip is decompressed on the way. Without --list, --ova,
/// --disk or --all it only verifies: nothing is written.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("task").args(["list", "verify", "ova", "disk", "all"]))]
#[command(group = clap::ArgGroup::new("unpack").args(["disk", "all"]))]
pub(crate) struct Cli {
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    pub(crate) unpack: Unpack,
    /// Go on after damage where that is possible, and write what can be had; the exit status is still 3
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Draw a bar on stderr, if that is a terminal; with =FD, write lines N/100 to that descriptor
    #[arg(long, value_name = "FD", num_args = 0..=1, require_equals = true, default_missing_value = Destination::BAR, value_parser = Destination::parse)]
    pub(crate) progress: Option<Destination>,
    /// Print one JSON document about all archives in place of tables and verdicts: disks, findings, verdict
    #[arg(long, conflicts_with = "ova")]
    pub(crate) json: bool,
    /// The archive; - is standard input. With --verify and --list also several: a line with the verdict on each, and the worst
    /// exit status
    #[arg(value_name = "ARCHIVE", default_value = "-")]
    pub(crate) archives: Vec<InputName>,
}

/// The tasks that write no disk.
#[derive(clap::Args, Debug)]
struct Look {
    /// Print the disks, without reading their bytes where the input can seek
    #[arg(long)]
    list: bool,
    /// Check every block, and every rule of the importer; the default
    #[arg(long)]
    verify: bool,
    /// Check every rule of the importer, and the checksums of the first block of each disk and of so many others, chosen
    /// at random; only where the input can seek
    #[arg(long, value_name = "SHARE%", conflicts_with_all = ["list", "ova", "unpack"])]
    sample: Option<Share>,
    /// Choose those blocks that an earlier --sample with this number chose
    #[arg(long, value_name = "N", requires = "sample")]
    seed: Option<u64>,
    /// Print the metadata, ova.xml
    #[arg(long)]
    ova: bool,
}

/// The tasks that write disks.
#[derive(clap::Args, Debug)]
pub(crate) struct Unpack {
    /// Unpack one disk: its directory in the archive
    #[arg(long, value_name = "REF", requires = "output")]
    disk: Option<String>,
    /// Unpack every disk, to DIR/REF.raw; in DIR itself say ./REF.raw to programs that take what ends with a colon for a
    /// protocol
    #[arg(long, requires = "output")]
    all: bool,
    /// The file, block device or pipe that --disk writes to, - for standard output; the directory of --all
    #[arg(short, long, value_name = "FILE|DIR", requires = "unpack", value_parser = PathBufValueParser::new().map(OutputName::from))]
    output: Option<OutputName>,
    /// Bytes of a disk that was padded when it was archived: the rest, which must be zero, is cut off
    #[arg(long = "size", value_name = "REF=BYTES", value_parser = disk_and_size)]
    pub(crate) sizes: Vec<(String, u64)>,
    /// Overwrite files and block devices, and write a disk to a terminal
    #[arg(short, long)]
    pub(crate) force: bool,
}

const EXAMPLES: &str = "\
Examples:
  xva-unpack vm.xva
  xva-unpack vm.xva.zst
  xva-unpack --list vm.xva
  xva-unpack --verify monday.xva.zst tuesday.xva.zst
  xva-unpack --json vm.xva | jq -r .archives[0].verdict
  xva-unpack --sample 1% vm.xva
  xva-unpack --disk Ref:000 -o disk.raw vm.xva
  xva-unpack --disk Ref:000 --force -o /dev/vg/disk vm.xva.zst
  xva-unpack --all -o disks --size Ref:000=10737415168 vm.xva

What xapi would refuse ends --verify with status 3; the other tasks warn of
it, as long as it is certain which bytes belong where. What proves that a block
is missing ends every task with status 3: a checksum without its block, a block
after the last one of its disk or under a name that ova.xml does not have, and
a block, checksum or ova.xml after the last disk or an end-of-tar. --disk asks
that of its own disk alone. What else follows the last disk is a warning, as
xapi ignores it. CRC-32 is that of the whole raw disk.
A file gets its name once it is whole; until then it has none, or where the
file system cannot do that, .FILE.XXXXXX.part.

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 damaged archive,
4 beyond what is supported";

impl Cli {
    /// What is done with the archive. Status 2 for an output that cannot be meant.
    pub(crate) fn task(&self) -> Result<Task, Failure> {
        let Unpack { disk, all, output, force, .. } = &self.unpack;
        let task = match (disk, output) {
            (Some(prefix), Some(output)) => Task::One { prefix: prefix.clone(), output: output.clone() },
            (None, Some(OutputName::File(directory))) => Task::All { directory: directory.clone() },
            (None, Some(OutputName::Stdout)) => {
                return Err(Failure::usage("--all cannot write to standard output: expected a directory"));
            }
            (_, None) if disk.is_some() || *all => {
                return Err(Failure::usage("--disk and --all need --output; see --help"));
            }
            (_, None) if self.look.list => Task::List,
            (_, None) if self.look.ova => Task::PrintOva,
            (_, None) if self.look.sample.is_some() => Task::Sample,
            (_, None) => Task::Verify,
        };
        let only_looks = matches!(task, Task::List | Task::Verify);
        if self.archives.len() > 1 && !only_looks {
            return Err(Failure::usage("several archives go with --verify or --list only; see --help"));
        }
        if self.archives.iter().filter(|archive| **archive == InputName::Stdin).count() > 1 {
            return Err(Failure::usage("two archives cannot both be standard input; see --help"));
        }
        if task.is_to_stdout() && self.json {
            return Err(Failure::usage("--json and a disk cannot both go to standard output; see --help"));
        }
        if task.is_to_stdout() && !force && std::io::stdout().is_terminal() {
            return Err(Failure::usage("standard output is a terminal: expected a pipe or file, or --force"));
        }
        Ok(task)
    }

    /// The blocks that are looked at, if not all.
    pub(crate) fn sample(&self) -> Option<Sample> {
        self.look.sample.map(|share| Sample::new(share, self.look.seed))
    }

    /// Status 2 for a disk that has two sizes.
    pub(crate) fn check_sizes(&self) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        match self.unpack.sizes.iter().find(|(disk, _)| !seen.insert(disk)) {
            Some((disk, _)) => {
                Err(Failure::usage(format!("--size is given twice for disk {disk}: expected it once")))
            }
            None => Ok(()),
        }
    }
}

/// Reads `REF=BYTES`.
fn disk_and_size(text: &str) -> Result<(String, u64), String> {
    let (disk, size) = text.rsplit_once('=').ok_or("expected REF=BYTES, such as Ref:000=10737418240")?;
    let size = size.parse().map_err(|_| format!("found {size:?}, expected a number of bytes"))?;
    Ok((disk.to_owned(), size))
}
