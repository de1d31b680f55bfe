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
use xva_pack::unpack::report::{Archive, DiskReport};
use xva_pack::unpack::sample::Sample;
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
    let sample = cli.sample();
    let options = Options { only: task.only().map(str::to_owned), sizes: cli.unpack.sizes, sample };
    let progress = Progress::new(cli.progress)?;
    let mut unpacker = Unpacker::new(&task, cli.unpack.force, cli.keep_going, progress);
    unpacker.prepare(&cli.archive, &options)?;
    let input = Input::open(&cli.archive)?;
    let input = if matches!(task, Task::List | Task::Sample) { input.by_headers() } else { input };
    if sample.is_some() {
        input.check_seekable()?;
    }
    let (archive, done) = read(input, &options, &mut unpacker, &mut findings);
    unpacker.finish(done.is_ok() && findings.bad() == 0);
    if done.is_ok() || cli.keep_going {
        report(&archive, &task, messages)?;
    }
    done?;
    check_bad(findings.bad(), cli.archive.name())?;
    match (task, sample) {
        (Task::Verify, _) => say_sound(&archive, cli.archive.name(), messages),
        (Task::Sample, Some(sample)) => say_sampled(&archive, sample, cli.archive.name()),
        _ => Ok(()),
    }
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

/// Status 3 for an archive in which `bad` findings make it unsound.
fn check_bad(bad: u64, name: &Path) -> Result<(), Failure> {
    if bad == 0 {
        return Ok(());
    }
    let plural = if bad == 1 { "" } else { "s" };
    Err(Failure::damaged(format!("is damaged: found {bad} fault{plural}, named above")).in_file(name))
}

/// The verdict on the archive `name`, of which some blocks were looked at.
fn say_sampled(archive: &Archive, sample: Sample, name: &Path) -> Result<(), Failure> {
    let count = |of: fn(&DiskReport) -> u64| archive.disks.iter().map(of).fold(0, u64::saturating_add);
    let (sampled, blocks) = (count(|disk| disk.sampled), count(|disk| disk.blocks));
    let verdict = format!(
        "{}: sampled: no fault in the structure, and the checksums of {sampled} of {blocks} blocks are right; the same ones \
         again: --seed {}\n",
        name.display(),
        sample.seed()
    );
    print(verdict.as_bytes())
}

/// The verdict on the archive `name`, which was looked at from end to end.
fn say_sound(archive: &Archive, name: &Path, messages: Messages) -> Result<(), Failure> {
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
