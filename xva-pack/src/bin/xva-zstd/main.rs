//! `xva-zstd`: compresses an XVA so that it can be read from the middle.

mod arguments;

use std::io::{self, IsTerminal};
use std::thread::available_parallelism;

use extents::failure::Failure;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::host::pipe;
use xva_pack::host::progress::Progress;
use xva_pack::zstd::compress::{Settings, compress};

use crate::arguments::Cli;

/// The most threads when nobody asks for more.
const DEFAULT_MAX_JOBS: usize = 16;

extents::main!(run, Output::Other);

fn run(cli: Cli, messages: Messages) -> Result<(), Failure> {
    let (level, archive) = Cli::level_and_archive(cli.names)?;
    if io::stdout().is_terminal() {
        return Err(Failure::usage("standard output is a terminal: expected a pipe or file"));
    }
    let input = archive.open("an archive")?;
    let found = input.0.metadata().map_err(|error| Failure::io(archive.name(), "cannot stat", &error))?;
    pipe::enlarge(&input);
    let out = streams::stdout()?;
    pipe::enlarge(&out);
    let mut progress = Progress::new(cli.progress)?;
    let processors = || available_parallelism().map_or(2, |count| count.get().min(DEFAULT_MAX_JOBS));
    let settings = Settings { level, jobs: cli.jobs.map_or_else(processors, usize::from) };
    let size = found.is_file().then_some(found.len());
    let counts = compress(input, &archive, size, settings, &mut progress, out)?;
    messages.note(format!(
        "level {level}: {} frames, {} bytes read, {} bytes written",
        counts.frames, counts.read, counts.written
    ));
    Ok(())
}
