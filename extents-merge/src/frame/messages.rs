//! Lines for people, on stderr.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, OneLine};
use crate::image::overwrite;

/// How much a program says.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Verbosity {
    /// Print errors only, no warnings
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say on stderr what was found and decided
    #[arg(short, long)]
    pub verbose: bool,
}

/// The messages of one program.
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
    pub fn warn(&self, sentence: impl AsRef<str>) {
        if !self.verbosity.quiet {
            say(self.tool, sentence.as_ref());
        }
    }

    /// What failed although the program goes on: the same line as at its end.
    pub fn fail(&self, failure: &Failure) {
        say_failure(self.tool, failure);
    }

    /// Something found or decided on the way; only `-v` shows it.
    pub fn note(&self, sentence: impl AsRef<str>) {
        if self.verbosity.verbose {
            say(self.tool, sentence.as_ref());
        }
    }
}

/// Whether a progress bar stands on the line that a message would begin on.
static SHARES_LINE: AtomicBool = AtomicBool::new(false);

/// What erases the line that the cursor is on.
const ERASE_LINE: &str = "\r\x1b[K";

/// Says whether this process has drawn a progress bar on the line of the terminal that is stderr, and will draw it again:
/// messages then take its place.
pub fn share_line(shares: bool) {
    SHARES_LINE.store(shares, Ordering::Relaxed);
}

/// Why the program `tool` ends.
pub(crate) fn say_failure(tool: &str, failure: &Failure) {
    say(tool, &failure.to_string());
}

/// One line, unless it would go into a file that is read. A stderr that cannot be written to is no reason to fail.
fn say(tool: &str, sentence: &str) {
    if !overwrite::may_write(io::stderr()) {
        return;
    }
    // In one write, so that the lines of several filters in a pipeline do not mix.
    let before = if SHARES_LINE.load(Ordering::Relaxed) { ERASE_LINE } else { "" };
    let _ = io::stderr().write_all(format!("{before}{tool}: {}\n", OneLine(sentence)).as_bytes());
}
