//! `xva-pack`: writes a disk as the members of an XVA.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::host::pipe;
use xva_pack::host::progress::Progress;
use xva_pack::ova::promise::{self, Place, Promise};
use xva_pack::pack::copy::pack;
use xva_pack::pack::measure;
use xva_pack::pack::report::ReportFile;
use xva_pack::pack::source::Source;
use xva_pack::xva::fit::Fit;
use xva_pack::xva::member_name::Prefix;

use crate::arguments::{Archive, Cli, Metadata, settings};

mod arguments;

extents::main!(run, Output::Other);

fn run(cli: Cli, messages: Messages) -> Result<(), Failure> {
    let begun = Instant::now();
    if !cli.operation.measure && !cli.operation.force && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "standard output is a terminal: expected a pipe or file; --force overrides",
        ));
    }
    let request = cli.input.request(cli.disk)?;
    let inputs: Vec<_> = request.inputs().into_iter().chain(cli.metadata.input()).collect();
    check_stdin(&inputs)?;
    let report = cli.operation.report.as_deref();
    let report = report.map(ReportFile::open).transpose()?;
    let mut progress = Progress::new(cli.operation.progress)?;
    let (prefix, xml, promise) = load(&cli.metadata, &cli.archive, messages)?;
    progress.set_name(prefix.as_str());
    if let Some(Promise { disk, all }) = promise {
        progress.set_share(disk, all);
    }
    let expected = promise.map(|promise| promise.disk.size);
    let fit = Fit { pad: cli.archive.pad, others_follow: cli.archive.no_trailer, expected };
    let source = Source::open(&request, fit, !cli.operation.measure, messages)?;
    if let Some(report) = report.as_ref().filter(|_| !cli.operation.force) {
        report.check_replaced()?;
    }
    if cli.operation.measure {
        let bytes = measure::archive(source.feed, xml.map(|xml| xml.len()), fit.others_follow)?;
        return writeln!(streams::stdout()?, "{bytes}").map_err(|error| Failure::output(&error));
    }
    messages.note(format!("{}: {}", source.origin.name(), source.origin.reason()));
    let origin = source.origin.clone();
    let out = streams::stdout()?;
    pipe::enlarge(&out);
    let packed =
        pack(source, &settings(&cli.archive, prefix, &cli.operation), xml.as_deref(), &mut progress, out)?;
    let counts = packed.counts;
    messages.note(format!(
        "{} blocks written, {} zero blocks left out, {} bytes read, {} bytes written",
        counts.blocks_written, counts.zero_blocks_left_out, counts.bytes_read, counts.bytes_written
    ));
    report.map_or(Ok(()), |file| file.write(&origin, &packed, begun.elapsed()))
}

/// Standard input can be one thing only.
fn check_stdin(inputs: &[(&'static str, &InputName)]) -> Result<(), Failure> {
    let stdin: Vec<_> = inputs.iter().filter(|(_, input)| **input == InputName::Stdin).collect();
    match stdin[..] {
        [(first, _), (second, _), ..] => {
            Err(Failure::usage(format!("{first} and {second} cannot both be standard input; see --help")))
        }
        _ => Ok(()),
    }
}

/// The directory of the disk, the metadata to be written, and what it promises of the disk.
type Loaded = (Prefix, Option<Vec<u8>>, Option<Promise>);

/// What the metadata says.
fn load(metadata: &Metadata, archive: &Archive, messages: Messages) -> Result<Loaded, Failure> {
    let named = || archive.prefix.clone().unwrap_or_default();
    let Some((_, file)) = metadata.input() else { return Ok((named(), None, None)) };
    let first = metadata.ova.is_some();
    let place = Place { first, last: !archive.no_trailer };
    let xml = promise::load(file)?;
    let in_file = |failure: Failure| failure.in_file(file.name());
    let prefix = match &archive.prefix {
        None if first => promise::first_disk(&xml).map_err(in_file)?.unwrap_or_default(),
        _ => named(),
    };
    let promise = promise::promised(&xml, prefix.as_str(), place, messages).map_err(in_file)?;
    Ok((prefix, first.then_some(xml), Some(promise)))
}
