//! What `xva-zstd` is asked to do.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Parser;
use extents::failure::Failure;
use extents::frame::arguments::{NoOutput, no_output};
use extents::frame::input::InputName;
use xva_pack::host::progress::Destination;
use xva_pack::zstd::compress::{DEFAULT_LEVEL, LEVELS};

/// Compress an XVA so that it can be read from the middle
///
/// Reads an archive from a file or a pipe and writes it to standard output as zstd: one frame for each block, so that all
/// processors can work on it, a block can be read without those before it, and a block that did not change is the same bytes
/// in the next backup. `zstd -d` and xapi read it as any other.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES, override_usage = "xva-zstd [OPTIONS] [-LEVEL] [ARCHIVE] > FILE.xva.zst")]
pub(crate) struct Cli {
    /// Threads; by default one for each processor, up to 16. At most 64 are started
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Draw a bar on stderr, if that is a terminal; with =FD, write lines N/100 to that descriptor
    #[arg(long, value_name = "FD", num_args = 0..=1, require_equals = true, default_missing_value = Destination::BAR, value_parser = Destination::parse)]
    pub(crate) progress: Option<Destination>,
    /// The archive; - is standard input, which is read when none is named. And the level, from -1, the fastest, to -19, the
    /// smallest; -3 when none is given
    #[arg(value_name = "-LEVEL|ARCHIVE", allow_negative_numbers = true, num_args = 0..)]
    pub(crate) names: Vec<OsString>,
    /// As other programs have it: refused, with the sentence where the archive goes
    #[arg(short, long, hide = true, num_args = 0..=1, value_parser = no_output("xva-zstd"))]
    output: Option<NoOutput>,
}

const EXAMPLES: &str = "\
Examples:
  qcow-headers --output map disk.qcow2 | xva-pack --map - |
    xva-zstd > disk.xva.zst
  xva-zstd -9 vm.xva > vm.xva.zst
  zstd -dc old.xva.zst | xva-zstd > new.xva.zst
  zstd -l vm.xva.zst

The same archive and level give the same bytes, whatever --jobs. At the end
stands the table of zstd's seekable format. Checksums of blocks are not looked
at: xva-unpack --verify does that.

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 no XVA or one that ends
early, such as that of an xva-pack that failed, 4 compressed already or with
blocks above 16 MiB. After a failure the output ends inside a frame.";

impl Cli {
    /// The level and the archive. Status 2 for more than one of either, or a level that there is not.
    pub(crate) fn level_and_archive(names: Vec<OsString>) -> Result<(i32, InputName), Failure> {
        let (levels, archives): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_level(name));
        let level = match &levels[..] {
            [] => DEFAULT_LEVEL,
            [level] => parse_level(level)?,
            _ => return Err(Failure::usage("found more than one level; see --help")),
        };
        let archive = match &archives[..] {
            [] => InputName::Stdin,
            [name] if name.is_empty() => {
                return Err(Failure::usage("the name of the archive is empty; see --help"));
            }
            [name] => InputName::from(PathBuf::from(name)),
            _ => {
                let what =
                    "found more than one archive: expected one, and > FILE for what it becomes; see --help";
                return Err(Failure::usage(what));
            }
        };
        Ok((level, archive))
    }
}

fn is_level(name: &OsStr) -> bool {
    name.len() > 1 && name.as_encoded_bytes().starts_with(b"-")
}

fn parse_level(text: &OsStr) -> Result<i32, Failure> {
    let level = text.to_str().and_then(|text| text.strip_prefix('-')?.parse().ok());
    level.filter(|level| LEVELS.contains(level)).ok_or_else(|| {
        let (found, first, last) = (text.display(), LEVELS.start(), LEVELS.end());
        Failure::usage(format!("found level {found}, expected -{first} to -{last}; see --help"))
    })
}
