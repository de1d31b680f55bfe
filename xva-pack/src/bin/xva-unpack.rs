//! `xva-unpack`: lists, checks and unpacks the disks of an XVA.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::host::progress::{Destination, Progress};
use xva_pack::unpack::table::table;
use xva_pack::unpack::task::{Task, Unpacker};
use xva_pack::unpack::{self, Archive, Findings, Input, Options, Policy};

/// List, check and unpack the disks of an XVA
///
/// Reads an archive in one pass from a file or a pipe, and checks it as xapi's importer does. Without --list, --ova,
/// --disk or --all it only verifies: nothing is written.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("task").args(["list", "verify", "ova", "disk", "all"]))]
#[command(group = clap::ArgGroup::new("unpack").args(["disk", "all"]))]
struct Cli {
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    unpack: Unpack,
    /// Go on after damage where that is possible, and write what can be had; the exit status is still 3
    #[arg(long)]
    keep_going: bool,
    /// Draw a bar on stderr, if that is a terminal; with =FD, write lines N/100 to that descriptor
    #[arg(long, value_name = "FD", num_args = 0..=1, require_equals = true, default_missing_value = Destination::BAR, value_parser = Destination::parse)]
    progress: Option<Destination>,
    /// The archive; - is standard input
    #[arg(value_name = "ARCHIVE", default_value = "-")]
    archive: PathBuf,
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
    /// Print the metadata, ova.xml
    #[arg(long)]
    ova: bool,
}

/// The tasks that write disks.
#[derive(clap::Args, Debug)]
struct Unpack {
    /// Unpack one disk: its directory in the archive
    #[arg(long, value_name = "REF", requires = "output")]
    disk: Option<String>,
    /// Unpack every disk, to DIR/REF.raw
    #[arg(long, requires = "output")]
    all: bool,
    /// The file, block device or pipe that --disk writes to, - for standard output; the directory of --all
    #[arg(short, long, value_name = "FILE|DIR", requires = "unpack")]
    output: Option<PathBuf>,
    /// Bytes of a disk that was padded when it was archived: the rest, which must be zero, is cut off
    #[arg(long = "size", value_name = "REF=BYTES", value_parser = parse_size)]
    sizes: Vec<(String, u64)>,
    /// Overwrite files and block devices, and write a disk to a terminal
    #[arg(short, long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  xva-unpack vm.xva
  zstd -dc vm.xva.zst | xva-unpack
  xva-unpack --list vm.xva
  xva-unpack --disk Ref:000 -o disk.raw vm.xva
  zstd -dc vm.xva.zst | xva-unpack --disk Ref:000 --force -o /dev/vg/disk
  xva-unpack --all -o disks --size Ref:000=10737418240 vm.xva

What xapi would refuse ends --verify with status 3; the other tasks warn of
it, as long as it is certain which bytes belong where. CRC-32 is that of the
whole raw disk. What stands behind the last disk is a warning, as xapi ignores
it; a block there is refused, as it holds data that would be lost.
A disk is written to .FILE.XXXXXX.part, which gets its name once it is whole.

Exit status: 0 done, 1 system failure, 2 wrong usage, 3 damaged archive,
4 compressed or beyond what is supported";

extents::main!(unpack, Output::Other);

fn unpack(mut cli: Cli, messages: Messages) -> Result<(), Failure> {
    // By these names it would be opened a second time, and the table written behind the disk.
    let names = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    if cli.unpack.output.as_deref().is_some_and(|output| names.iter().any(|name| output == Path::new(name))) {
        cli.unpack.output = Some(PathBuf::from("-"));
    }
    let to_stdout = cli.unpack.output.as_deref() == Some(Path::new("-"));
    if to_stdout && cli.unpack.all {
        return Err(Failure::usage("--all cannot write to standard output: expected a directory"));
    }
    if to_stdout && !cli.unpack.force && std::io::stdout().is_terminal() {
        return Err(Failure::usage("standard output is a terminal: expected a pipe or file, or --force"));
    }
    if let Some(disk) = given_twice(&cli.unpack.sizes) {
        return Err(Failure::usage(format!("--size is given twice for disk {disk}: expected it once")));
    }
    if cli.archive.as_os_str() == "-" {
        InputName::Stdin.open("an archive")?;
    }
    let input = Input::open(&cli.archive)?;
    if let Some(output) = cli.unpack.output.as_deref().filter(|output| !to_stdout && input.is(output)) {
        return Err(Failure::usage("is the archive that is read: expected another").in_file(output));
    }
    let task = match (cli.unpack.disk, cli.unpack.output) {
        (Some(prefix), Some(output)) => Task::One { prefix, output },
        (None, Some(directory)) => Task::All { directory },
        _ if cli.look.list => Task::List,
        _ => Task::Verify,
    };
    let policy = Policy { strict: matches!(task, Task::Verify) && !cli.look.ova, keep_going: cli.keep_going };
    let mut findings = Findings::new(policy, messages);
    if cli.look.ova {
        return print(&unpack::read_ova(input, &mut findings)?);
    }
    let only = if let Task::One { prefix, .. } = &task { Some(prefix.clone()) } else { None };
    let options = Options { only, sizes: cli.unpack.sizes };
    let verified = policy.strict;
    let name = input.name().display().to_string();
    let mut unpacker = Unpacker::new(task, cli.unpack.force, cli.keep_going, Progress::new(cli.progress)?);
    let (archive, done) = unpack::read(input, &options, &mut unpacker, &mut findings);
    if done.is_ok() {
        unpacker.progress.finish();
    }
    if done.is_ok() || cli.keep_going {
        report(&archive, to_stdout, messages)?;
    }
    done?;
    if findings.bad() > 0 {
        let bad = findings.bad();
        return Err(Failure::damaged(format!(
            "{name}: is damaged: found {bad} fault{}, named above",
            if bad == 1 { "" } else { "s" }
        )));
    }
    if verified {
        print(verdict(&name, &archive).as_bytes())?;
        if !archive.has_ova {
            messages.warn(format!(
                "{name}: has no ova.xml: xapi does not import it alone, and whether the last block of a disk is missing \
                 cannot be known"
            ));
        }
    }
    Ok(())
}

/// The table of disks; on stderr when a disk goes to standard output.
fn report(archive: &Archive, to_stdout: bool, messages: Messages) -> Result<(), Failure> {
    if !to_stdout {
        return print(table(&archive.disks).as_bytes());
    }
    for disk in archive.disks.iter().filter(|disk| disk.crc32.is_some()) {
        let crc = disk.crc32.unwrap_or(0);
        messages.warn(format!("{}: {} bytes, crc32 {crc:08x}", disk.prefix, disk.wanted_size));
    }
    Ok(())
}

fn verdict(name: &str, archive: &Archive) -> String {
    let (disks, bytes) = (archive.disks.len(), archive.bytes);
    let plural = if disks == 1 { "" } else { "s" };
    format!("{name}: sound: {bytes} bytes, {disks} disk{plural}, every checksum is right\n")
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    streams::stdout()?.write_all(bytes).map_err(|error| Failure::output(&error))
}

/// The first disk that has a size already.
fn given_twice(sizes: &[(String, u64)]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    sizes.iter().map(|(disk, _)| disk.as_str()).find(|disk| !seen.insert(*disk))
}

fn parse_size(text: &str) -> Result<(String, u64), String> {
    let (disk, size) = text.rsplit_once('=').ok_or("expected REF=BYTES, such as Ref:000=10737418240")?;
    let size = size.parse().map_err(|_| format!("found {size:?}, expected a number of bytes"))?;
    Ok((disk.to_owned(), size))
}
