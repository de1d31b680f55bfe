//! From the command line to the exit status.

use std::fs::File;
use std::io::{self, IsTerminal, Seek, Write};
use std::os::unix::fs::FileTypeExt;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, FromArgMatches, Parser};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::document::failed_stage;
use crate::failure::{Failure, Status};
use crate::frame::messages::{Messages, Verbosity, say_failure};
use crate::frame::streams;
use crate::image::overwrite;

#[doc(hidden)]
pub use ctor::ctor;

/// Characters of a line of `--help`, however wide the terminal is.
const MAX_WIDTH: usize = 100;

/// What a program writes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A document that another filter reads: after a failure that one is told of it.
    Document,
    /// Anything else.
    Other,
}

/// Defines the `main` of a program: its work, a function of its arguments (a `clap::Parser`) and [`Messages`], and its
/// [`Output`].
///
/// What happens before `main`, a look at the descriptors, happens only in programs that are defined by this.
#[macro_export]
macro_rules! main {
    ($work:expr, $output:expr) => {
        #[$crate::frame::program::ctor]
        fn before_main() {
            $crate::frame::streams::look_at_descriptors();
        }

        fn main() -> ::std::process::ExitCode {
            $crate::frame::program::run(env!("CARGO_BIN_NAME"), $output, $work)
        }
    };
}

/// Runs the program `tool`: parses its arguments, to which it adds `-q` and `-v`, calls `work`, and turns what comes back
/// into an exit status. A closed pipe ends it quietly.
pub fn run<A: Parser>(
    tool: &'static str,
    output: Output,
    work: impl FnOnce(A, Messages) -> Result<(), Failure>,
) -> ExitCode {
    sigpipe::reset();
    overwrite::begin();
    let closed = streams::stdout_was_closed();
    let done = if closed { Err(Failure::system("standard output is closed")) } else { perform(tool, work) };
    let Err(failure) = done else { return ExitCode::SUCCESS };
    say_failure(tool, &failure);
    if output == Output::Document && !closed {
        tell(failure.status());
    }
    ExitCode::from(failure.status() as u8)
}

/// The work, or what is done in its place.
fn perform<A: Parser>(
    tool: &'static str,
    work: impl FnOnce(A, Messages) -> Result<(), Failure>,
) -> Result<(), Failure> {
    #[cfg(feature = "pages")]
    if let Some(printed) = crate::frame::pages::print(tool, command::<A>(tool)) {
        return printed;
    }
    match parse(tool) {
        Ok((arguments, verbosity)) => work(arguments, Messages::new(tool, verbosity)),
        Err(error) => help_or_usage(&error),
    }
}

/// The arguments of the program `tool`.
fn command<A: Parser>(tool: &'static str) -> clap::Command {
    let command = A::command().name(tool);
    // Clap would take the sentence over `Verbosity` for that of the program.
    let about = Resettable::from(command.get_about().cloned());
    let long_about = Resettable::from(command.get_long_about().cloned());
    let command = Verbosity::augment_args(command).about(about).long_about(long_about);
    let command = command.max_term_width(MAX_WIDTH);
    // With the commit, where the build script knows it.
    match option_env!("XVA_TOOLS_VERSION") {
        Some(version) => command.version(version),
        None => command,
    }
}

fn parse<A: Parser>(tool: &'static str) -> Result<(A, Verbosity), clap::Error> {
    let matches = command::<A>(tool).try_get_matches()?;
    Ok((A::from_arg_matches(&matches)?, Verbosity::from_arg_matches(&matches)?))
}

/// `--help` and `--version` are answers, on stdout; anything else that clap says becomes one line.
fn help_or_usage(error: &clap::Error) -> Result<(), Failure> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return error.print().map_err(|error| Failure::output(&error));
    }
    let text = error.to_string();
    let first: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let sentence = first.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    let meant = [ContextKind::SuggestedArg, ContextKind::SuggestedValue]
        .into_iter()
        .find_map(|kind| error.get(kind).and_then(first_of))
        .map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    let see = if meant.is_empty() { ";" } else { "" };
    Err(Failure::usage(format!("{sentence}{meant}{see} see --help")))
}

/// What clap thinks was meant.
fn first_of(value: &ContextValue) -> Option<&str> {
    match value {
        ContextValue::String(text) => Some(text),
        ContextValue::Strings(texts) => texts.first().map(String::as_str),
        _ => None,
    }
}

/// Marks the output of this process as that of a filter that failed. On a terminal it would only be noise.
fn tell(status: Status) {
    let Ok(mut out) = streams::stdout() else { return };
    if io::stdout().is_terminal() || !overwrite::may_write(io::stdout()) || !is_at_end(&mut out.0) {
        return;
    }
    // Into a pipe that nobody reads any more, the mark would only replace our status by that of SIGPIPE.
    let mut ready = [PollFd::new(&out, PollFlags::OUT)];
    let reader_is_gone =
        poll(&mut ready, Some(&Timespec::default())).is_ok() && ready[0].revents().contains(PollFlags::ERR);
    if !reader_is_gone {
        // The error itself was said on stderr.
        let _ = out.write_all(&failed_stage::mark(status));
    }
}

/// Whether nothing that was there before would be written over, or added to: what the user did not let the shell truncate
/// may be an image, one that the program never came to read.
fn is_at_end(out: &mut File) -> bool {
    let Ok(found) = out.metadata() else { return false };
    let kind = found.file_type();
    !kind.is_block_device() && (!kind.is_file() || out.stream_position().is_ok_and(|at| at == found.len()))
}
