//! The frame of every `main`: arguments, the one-line error, the exit status, and quiet death on a closed pipe.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use clap::error::ErrorKind;

use crate::document::failed_stage;
use crate::failure::{Failure, Status};
use crate::frame::stdin::Stdin;

pub mod stdin;
pub mod stdout;

/// `-q` and `-v`, flattened into the arguments of every filter.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Verbosity {
    /// Print errors only, no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say on stderr what was found and decided
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Lines for people, on stderr.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    tool: &'static str,
    verbosity: Verbosity,
}

impl Messages {
    /// Messages of the program `tool`.
    pub fn new(tool: &'static str, verbosity: Verbosity) -> Self {
        Messages { tool, verbosity }
    }

    /// Something the user should know although the answer is right; `-q` silences it.
    pub fn warn(&self, sentence: impl Into<String>) {
        if !self.verbosity.quiet {
            say(self.tool, &Failure::usage(sentence));
        }
    }

    /// Something found or decided on the way; only `-v` shows it.
    pub fn note(&self, sentence: impl Into<String>) {
        if self.verbosity.verbose {
            say(self.tool, &Failure::usage(sentence));
        }
    }
}

/// The arguments of a filter.
pub trait Arguments: Parser {
    /// Name of the program, as it stands in front of its errors.
    const TOOL: &'static str;
    /// Whether its output is a document that another filter reads: after a failure that one is told of it.
    const ANSWERS: bool = false;
    /// The flattened `-q` and `-v`.
    fn verbosity(&self) -> Verbosity;
}

/// Runs a filter: parses its arguments, calls `work`, and turns what comes back into an exit status.
pub fn run<A: Arguments>(work: impl FnOnce(A, Messages) -> Result<(), Failure>) -> ExitCode {
    sigpipe::reset();
    let done = if STDOUT_WAS_CLOSED.load(Ordering::Relaxed) {
        Err(Failure::system("standard output is closed"))
    } else {
        match A::try_parse() {
            Ok(arguments) => {
                let messages = Messages::new(A::TOOL, arguments.verbosity());
                work(arguments, messages)
            }
            Err(error) => help_or_usage(&error),
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(A::TOOL, &failure);
            if A::ANSWERS && !STDOUT_WAS_CLOSED.load(Ordering::Relaxed) {
                failed_stage::tell(failure.status());
            }
            ExitCode::from(failure.status() as u8)
        }
    }
}

/// `--help` and `--version` are answers, on stdout; anything else that clap says becomes one line.
fn help_or_usage(error: &clap::Error) -> Result<(), Failure> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return error.print().map_err(|e| stdout::write_failure(&e));
    }
    let text = error.to_string();
    let first: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let sentence = first.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    Err(Failure::new(Status::Usage, format!("{sentence}; see --help")))
}

/// A line on stderr. A stderr that cannot be written to is no reason to fail.
fn say(tool: &str, sentence: &Failure) {
    // In one write, so that the lines of several filters in a pipeline do not mix.
    let _ = io::stderr().write_all(format!("{tool}: {sentence}\n").as_bytes());
}

/// Standard input as the place where `what` comes from. A terminal is refused, where nobody knows that it is waited for.
pub fn input(what: &str) -> Result<Stdin, Failure> {
    expect_stdin()?;
    if io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "standard input is a terminal: expected {what} from a pipe or file; see --help"
        )));
    }
    Stdin::open()
}

/// Status 1 if there is no standard input: what is open in its place is none.
pub(crate) fn expect_stdin() -> Result<(), Failure> {
    if STDIN_WAS_CLOSED.load(Ordering::Relaxed) {
        return Err(Failure::system("standard input is closed"));
    }
    Ok(())
}

/// Whether descriptors 0 and 1 were closed when the program was started.
///
/// The standard library opens /dev/null in its place before `main`, so that afterwards a `>&-` cannot be told from
/// a caller's read-write /dev/null (Python's `DEVNULL`); an export into nowhere would then look finished.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);
static STDIN_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

#[ctor::ctor]
fn look_at_descriptors() {
    let closed = |fd| rustix::io::fcntl_getfd(fd).is_err();
    STDIN_WAS_CLOSED.store(closed(rustix::stdio::stdin()), Ordering::Relaxed);
    STDOUT_WAS_CLOSED.store(closed(rustix::stdio::stdout()), Ordering::Relaxed);
}
