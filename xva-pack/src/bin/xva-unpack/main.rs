//! `xva-unpack`: lists, checks and unpacks the disks of an XVA.

mod arguments;

use std::io::Write;
use std::path::Path;

use extents::document::summary::Size;
use extents::failure::{Failure, Status};
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::host::progress::Progress;
use xva_pack::unpack::answer::{Answer, document, worse};
use xva_pack::unpack::findings::Findings;
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::report::Archive;
use xva_pack::unpack::table::table;
use xva_pack::unpack::task::{Task, Unpacker};
use xva_pack::unpack::walk::metadata::read_ova;
use xva_pack::unpack::walk::read;

use crate::arguments::Cli;

extents::main!(|cli: Cli, messages| run(&cli, messages), Output::Other);

fn run(cli: &Cli, messages: Messages) -> Result<(), Failure> {
    let task = cli.task()?;
    cli.check_sizes()?;
    let [archive] = &cli.archives[..] else { return each(cli, &task, messages) };
    if cli.json {
        return each(cli, &task, messages);
    }
    let mut findings = Findings::new(task.policy(cli.keep_going), messages);
    if task == Task::PrintOva {
        return print(&read_ova(Input::open(archive)?, &mut findings)?);
    }
    let (found, done) = look(cli, &task, archive, &mut findings);
    if done.is_ok() || cli.keep_going {
        report(&found, &task, messages)?;
    }
    done?;
    judge(&found, &task, findings.bad(), archive.name(), messages)
        .and_then(|verdict| print(verdict.as_bytes()))
}

/// Goes over several archives, or answers in JSON: a verdict on each, whatever the others are, and the worst status.
fn each(cli: &Cli, task: &Task, messages: Messages) -> Result<(), Failure> {
    let mut answers = Vec::new();
    let mut worst: Option<Status> = None;
    let mut bad = 0;
    for archive in &cli.archives {
        let mut findings = Findings::new(task.policy(cli.keep_going), messages);
        let (found, done) = look(cli, task, archive, &mut findings);
        let verdict = done.and_then(|()| judge(&found, task, findings.bad(), archive.name(), messages));
        let name = archive.name().display().to_string();
        let status = verdict.as_ref().err().map(Failure::status);
        if let Err(failure) = &verdict {
            // The last word is that of the program.
            if cli.archives.len() > 1 {
                messages.fail(failure);
            }
            bad += 1;
        }
        worst = worse(worst, status);
        if cli.json {
            let done = verdict.as_ref().map(drop).map_err(Clone::clone);
            answers.push(Answer::new(name, &found, &findings, *task != Task::List, &done));
        } else if let Some(status) = status {
            print(format!("{name}: not sound: status {}\n", status as u8).as_bytes())?;
        } else if *task == Task::List {
            print(format!("{name}:\n{}", table(&found.disks)).as_bytes())?;
        }
        match verdict {
            Err(failure) if cli.archives.len() == 1 => {
                print(document(&answers, worst)?.as_bytes())?;
                return Err(failure);
            }
            Ok(verdict) if !cli.json => print(verdict.as_bytes())?,
            _ => {}
        }
    }
    if cli.json {
        print(document(&answers, worst)?.as_bytes())?;
    }
    let sentence = || format!("{bad} of {} archives are not sound", cli.archives.len());
    worst.map_or(Ok(()), |status| Err(Failure::new(status, sentence())))
}

/// Does the task with one archive, and says what was found in it, also when that failed.
fn look(
    cli: &Cli,
    task: &Task,
    archive: &InputName,
    findings: &mut Findings,
) -> (Archive, Result<(), Failure>) {
    let options = Options { only: task.only().map(str::to_owned), sizes: cli.unpack.sizes.clone() };
    let begin = || {
        let progress = Progress::new(cli.progress)?;
        let mut unpacker = Unpacker::new(task, cli.unpack.force, cli.keep_going, progress);
        unpacker.prepare(archive, &options)?;
        let input = Input::open(archive)?;
        Ok((unpacker, if *task == Task::List { input.by_headers() } else { input }))
    };
    match begin() {
        Err(failure) => (Archive::default(), Err(failure)),
        Ok((mut unpacker, input)) => {
            let (found, done) = read(input, &options, &mut unpacker, findings);
            if done.is_ok() {
                unpacker.finish();
            }
            (found, done)
        }
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

/// The verdict on the archive `name`, in which `bad` findings make it unsound: a line, if there is one to say.
fn judge(
    archive: &Archive,
    task: &Task,
    bad: u64,
    name: &Path,
    messages: Messages,
) -> Result<String, Failure> {
    if bad > 0 {
        let plural = if bad == 1 { "" } else { "s" };
        let what = format!("is damaged: found {bad} fault{plural}, named above");
        return Err(Failure::damaged(what).in_file(name));
    }
    if *task != Task::Verify {
        return Ok(String::new());
    }
    let (name, bytes, disks) = (name.display(), archive.bytes, archive.disks.len());
    let plural = if disks == 1 { "" } else { "s" };
    let readable = Size(bytes);
    let verdict =
        format!("{name}: sound: {bytes} bytes ({readable}), {disks} disk{plural}, every checksum is right\n");
    if !archive.has_ova {
        messages.warn(format!(
            "{name}: has no ova.xml: xapi does not import it alone, and whether the last block of a disk is missing \
             cannot be known"
        ));
    }
    Ok(verdict)
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    streams::stdout()?.write_all(bytes).map_err(|error| Failure::output(&error))
}
