//! `xva-unpack`: lists, checks and unpacks the disks of an XVA.

mod arguments;
mod verdict;

use std::io::{self, IsTerminal, Write};

use extents::failure::{Failure, Status};
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::host::progress::Progress;
use xva_pack::unpack::answer::{Answer, document, unsound, worse};
use xva_pack::unpack::findings::Findings;
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::report::Archive;
use xva_pack::unpack::sample::Sample;
use xva_pack::unpack::table::table;
use xva_pack::unpack::task::{Task, Unpacker};
use xva_pack::unpack::walk::metadata::read_ova;
use xva_pack::unpack::walk::read;

use crate::arguments::Cli;
use crate::verdict::verdict;

extents::main!(|cli: Cli, messages| run(&cli, messages), Output::Other);

fn run(cli: &Cli, messages: Messages) -> Result<(), Failure> {
    let task = cli.task()?;
    cli.check_sizes()?;
    let [archive] = &cli.archives[..] else { return each(cli, &task, messages) };
    if cli.json {
        return each(cli, &task, messages);
    }
    let mut findings = Findings::new(task.policy(cli.keep_going), messages).of(archive.name());
    if task == Task::PrintOva {
        return print(&read_ova(Input::open(archive)?, &mut findings)?);
    }
    let sample = cli.sample();
    let (found, done) = look(cli, &task, sample, archive, &mut findings);
    if done.is_ok() || cli.keep_going {
        report(&found, &task, messages)?;
    }
    done?;
    verdict(&found, &task, sample, findings.bad(), archive.name(), messages)
        .and_then(|verdict| print(verdict.as_bytes()))
}

/// Goes over several archives, or answers in JSON: a verdict on each, whatever the others are, and the worst status.
fn each(cli: &Cli, task: &Task, messages: Messages) -> Result<(), Failure> {
    let mut answers = Vec::new();
    let mut worst: Option<Status> = None;
    let mut bad = 0;
    for archive in &cli.archives {
        let mut findings = Findings::new(task.policy(cli.keep_going), messages).of(archive.name());
        let sample = cli.sample();
        let (found, done) = look(cli, task, sample, archive, &mut findings);
        let judged =
            done.and_then(|()| verdict(&found, task, sample, findings.bad(), archive.name(), messages));
        let name = archive.name().display().to_string();
        let status = judged.as_ref().err().map(Failure::status);
        if let Err(failure) = &judged {
            // The last word is that of the program.
            if cli.archives.len() > 1 {
                messages.fail(failure);
            }
            bad += 1;
        }
        worst = worse(worst, status);
        if cli.json {
            let done = judged.as_ref().map(drop).map_err(Clone::clone);
            answers.push(Answer::new(name, &found, &findings, task, &done));
        } else if let Some(status) = status {
            print(format!("{name}: {}: status {}\n", unsound(status), status as u8).as_bytes())?;
        } else if *task == Task::List {
            print(format!("{name}:\n{}", table(&found.disks, io::stdout().is_terminal())).as_bytes())?;
        }
        match judged {
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
    let sentence = || format!("{bad} of {} archives are not known to be sound", cli.archives.len());
    worst.map_or(Ok(()), |status| Err(Failure::new(status, sentence())))
}

/// Does the task with one archive, and says what was found in it, also when that failed.
fn look(
    cli: &Cli,
    task: &Task,
    sample: Option<Sample>,
    archive: &InputName,
    findings: &mut Findings,
) -> (Archive, Result<(), Failure>) {
    let options = Options { only: task.only().map(str::to_owned), sizes: cli.unpack.sizes.clone(), sample };
    let begin = || {
        let progress = Progress::new(cli.progress)?;
        let mut unpacker = Unpacker::new(task, cli.unpack.force, cli.keep_going, progress);
        unpacker.prepare(archive, &options)?;
        let input = Input::open(archive)?;
        if sample.is_some() {
            input.check_seekable()?;
        }
        let by_headers = matches!(task, Task::List | Task::Sample);
        Ok((unpacker, if by_headers { input.by_headers() } else { input }))
    };
    match begin() {
        Err(failure) => (Archive::default(), Err(failure)),
        Ok((mut unpacker, input)) => {
            let (found, done) = read(input, &options, &mut unpacker, findings);
            unpacker.finish(done.is_ok() && findings.bad() == 0);
            (found, done)
        }
    }
}

/// The table of disks; on stderr when a disk goes to standard output.
fn report(archive: &Archive, task: &Task, messages: Messages) -> Result<(), Failure> {
    if !task.is_to_stdout() {
        return print(table(&archive.disks, io::stdout().is_terminal()).as_bytes());
    }
    for disk in &archive.disks {
        if let Some(crc) = disk.crc32 {
            messages.warn(format!("{}: {} bytes, crc32 {crc:08x}", disk.prefix, disk.wanted_size));
        }
    }
    Ok(())
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    streams::stdout()?.write_all(bytes).map_err(|error| Failure::output(&error))
}
