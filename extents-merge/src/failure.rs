//! The one error of every filter: a sentence for people and an exit status for programs.

use std::fmt;
use std::io;
use std::path::Path;

use clap::ValueEnum;

/// Why a filter ends without an answer. The discriminant, one digit, is the exit status.
///
/// `ValueEnum` is for the list of them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[repr(u8)]
pub enum Status {
    /// The system failed: I/O, permission, a file or parent that is not there.
    System = 1,
    /// The command was used wrongly.
    Usage = 2,
    /// The input is damaged, or is not what it claims to be.
    Damaged = 3,
    /// The input is sound, but this tool cannot answer for it: read the whole disk instead.
    Unsupported = 4,
}

impl Status {
    /// The status of a filter that ended with `code`; none if no filter ends so.
    pub(crate) fn of_exit(code: u8) -> Option<Self> {
        Status::value_variants().iter().copied().find(|status| *status as u8 == code)
    }
}

/// A sentence `file: what is wrong: found X, expected Y`, and the status it ends with.
///
/// Boxed, so that a `Result` in the inner loops stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Box<(Status, String)>);

impl Failure {
    /// A failure of the given kind.
    pub fn new(status: Status, sentence: impl Into<String>) -> Self {
        Failure(Box::new((status, sentence.into())))
    }

    /// Status 1.
    pub fn system(sentence: impl Into<String>) -> Self {
        Failure::new(Status::System, sentence)
    }

    /// Status 2.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Failure::new(Status::Usage, sentence)
    }

    /// Status 3.
    pub fn damaged(sentence: impl Into<String>) -> Self {
        Failure::new(Status::Damaged, sentence)
    }

    /// Status 4.
    pub fn unsupported(sentence: impl Into<String>) -> Self {
        Failure::new(Status::Unsupported, sentence)
    }

    /// Status 1, for what the system said while it did `what` to `file`.
    pub fn io(file: &Path, what: &str, error: &io::Error) -> Self {
        Failure::system(format!("{}: {what}: {error}", file.display()))
    }

    /// Status 1, for `bytes` of memory for `what` that the system does not give.
    pub fn no_memory(what: &str, bytes: usize) -> Self {
        Failure::system(format!("no memory for {what}: expected {bytes} bytes more"))
    }

    /// Status 1, for a write to standard output that failed.
    pub fn output(error: &io::Error) -> Self {
        Failure::system(format!("standard output: cannot write: {error}"))
    }

    /// Puts the name of the file in front of the sentence.
    #[must_use]
    pub fn in_file(self, file: &Path) -> Self {
        Failure::new(self.0.0, format!("{}: {}", file.display(), self.0.1))
    }

    /// The status that the filter ends with.
    pub fn status(&self) -> Status {
        self.0.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OneLine(&self.0.1).fmt(f)
    }
}

/// Characters of a sentence that are shown: three times the longest file name.
const LONGEST: usize = 12 << 10;

/// A sentence as one line, whatever a file name or an image put into it.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let mut characters = self.0.chars();
        for c in characters.by_ref().take(LONGEST) {
            // What ends a line, or turns its direction, in some place or other.
            if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        if characters.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_one_line_whatever_the_file_is_called() {
        let failure = Failure::damaged("no magic").in_file(Path::new("a\nb\u{1b}[2J\u{2028}"));
        assert_eq!(failure.to_string(), "a\\nb\\u{1b}[2J\\u{2028}: no magic");
        assert_eq!(failure.status() as u8, 3);
    }

    #[test]
    fn a_status_is_one_digit_and_found_by_it() {
        for status in Status::value_variants() {
            assert!((1..=9).contains(&(*status as u8)));
            assert_eq!(Status::of_exit(*status as u8), Some(*status));
        }
        assert_eq!(Status::of_exit(0), None);
    }

    #[test]
    fn a_sentence_ends_however_long_its_input_was() {
        let sentence = Failure::damaged("x".repeat(1 << 20)).to_string();
        assert_eq!(sentence.len(), LONGEST + 3);
    }
}
