//! `xva-unpack`: lists, checks and unpacks the disks of an XVA.

mod arguments;

use std::io::Write;
use std::path::Path;

use extents::failure::Failure;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::host::progress::Progress;
use xva_pack::unpack::findings::Findings;
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::report::Archive;
use xva_pack::unpack::table::table;
use xva_pack::unpack::task::{Task, Unpacker};
use xva_pack::unpack::walk::metadata::read_ova;
use xva_pack::unpack::walk::read;

use crate::arguments::Cli;

extents::main!(run, Output::Other);

fn run(cli: Cli, messages: Messages) -> Result<(), Failure> {
    let task = cli.task()?;
    cli.check_sizes()?;
    let mut findings = Findings::new(task.policy(cli.keep_going), messages);
    if task == Task::PrintOva {
        return print(&read_ova(Input::open(&cli.archive)?, &mut findings)?);
    }
    let options = Options { only: task.only().map(str::to_owned), sizes: cli.unpack.sizes };
    let progress = Progress::new(cli.progress)?;
    let mut unpacker = Unpacker::new(&task, cli.unpack.force, cli.keep_going, progress);
    unpacker.prepare(&cli.archive, &options)?;
    let input = Input::open(&cli.archive)?;
    let input = if task == Task::List { input.by_headers() } else { input };
    let (archive, done) = read(input, &options, &mut unpacker, &mut findings);
    if done.is_ok() {
        unpacker.finish();
    }
    if done.is_ok() || cli.keep_going {
        report(&archive, &task, messages)?;
    }
    done?;
    judge(&archive, &task, findings.bad(), cli.archive.name(), messages)
}

/// The table of disks; on stderr when a disk goes to standard output.
fn report(archive: &Archive, task: &Task, messages: Messages) -> Result<(), Failure> {
    if !task.is_to_stdout() {
        return print(table(&archive.disks).as_bytes());
    }
    for disk in &archive.disks {
        if let Some(crc) = disk.crc32 {
            messages.warn(format!("{}: {} bytes, crc32 {crc:08x}", disk.prefix, disk.wanted_size));
        }
    }
    Ok(())
}

/// The verdict on the archive `name`, in which `bad` findings make it unsound.
fn judge(archive: &Archive, task: &Task, bad: u64, name: &Path, messages: Messages) -> Result<(), Failure> {
    if bad > 0 {
        let plural = if bad == 1 { "" } else { "s" };
        let what = format!("is damaged: found {bad} fault{plural}, named above");
        return Err(Failure::damaged(what).in_file(name));
    }
    if *task != Task::Verify {
        return Ok(());
    }
    let (name, bytes, disks) = (name.display(), archive.bytes, archive.disks.len());
    let plural = if disks == 1 { "" } else { "s" };
    let verdict = format!("{name}: sound: {bytes} bytes, {disks} disk{plural}, every checksum is right\n");
    print(verdict.as_bytes())?;
    if !archive.has_ova {
        messages.warn(format!(
            "{name}: has no ova.xml: xapi does not import it alone, and whether the last block of a disk is missing \
             cannot be known"
        ));
    }
    Ok(())
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    streams::stdout()?.write_all(bytes).map_err(|error| Failure::output(&error))
}
