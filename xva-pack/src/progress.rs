//! `--progress`: a bar on stderr for people, or lines `N/100` on a descriptor for programs, as nbdcopy writes them.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};

use extents::failure::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a long work is.
#[derive(Debug)]
pub struct Progress(Form);

#[derive(Debug)]
enum Form {
    Silent,
    Bar(ProgressBar),
    Lines { out: File, last: Option<u64> },
}

/// What `--progress[=FD]` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A bar, where stderr is a terminal.
    Bar,
    /// Lines, on this descriptor.
    Descriptor(u32),
}

impl Destination {
    /// The value of the option when none is given; no descriptor is called so.
    pub const BAR: &str = "bar";

    /// Reads the value of the option.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == Destination::BAR {
            return Ok(Destination::Bar);
        }
        text.parse()
            .map(Destination::Descriptor)
            .map_err(|_| "expected the number of a descriptor".to_owned())
    }
}

impl Progress {
    /// As the user asked. A bar is drawn only where stderr is a terminal.
    ///
    /// The descriptor is opened by its name in /dev/fd: a pipe or a file, no socket.
    pub fn new(wish: Option<Destination>) -> Result<Self, Failure> {
        let form = match wish {
            Some(Destination::Descriptor(descriptor)) => {
                let path = format!("/dev/fd/{descriptor}");
                let out = OpenOptions::new().append(true).open(&path);
                let out = out.map_err(|e| Failure::usage(format!("--progress: cannot open {path}: {e}")))?;
                Form::Lines { out, last: None }
            }
            Some(Destination::Bar) if std::io::stderr().is_terminal() => Form::Bar(bar()),
            _ => Form::Silent,
        };
        Ok(Progress(form))
    }

    /// `done` bytes of `total`, where that is known.
    pub fn set(&mut self, done: u64, total: Option<u64>) {
        match &mut self.0 {
            Form::Silent => {}
            Form::Bar(bar) => {
                if let Some(total) = total.filter(|total| bar.length() != Some(*total)) {
                    bar.set_length(total);
                    set_style(bar, KNOWN);
                }
                bar.set_position(done);
            }
            Form::Lines { out, last } => {
                let Some(percent) = total.and_then(|total| percent(done, total)) else { return };
                if last.is_none_or(|last| percent > last) {
                    *last = Some(percent);
                    // Nobody listens any more: no reason to end the work.
                    let _ = writeln!(out, "{percent}/100");
                }
            }
        }
    }

    /// All is done.
    pub fn finish(&mut self) {
        match &self.0 {
            Form::Bar(bar) => bar.finish(),
            _ => self.set(1, Some(1)),
        }
    }
}

/// Rounded down, so that 100 means done.
fn percent(done: u64, total: u64) -> Option<u64> {
    let share = u128::from(done.min(total)) * 100;
    share.checked_div(u128::from(total)).and_then(|percent| u64::try_from(percent).ok())
}

/// Both fit 80 columns.
const KNOWN: &str =
    "{wide_bar} {percent:>3}%  {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta}";
const UNKNOWN: &str = "{spinner} {binary_bytes}  {binary_bytes_per_sec}  {elapsed}";

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    set_style(&bar, UNKNOWN);
    bar
}

fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_is_reached_only_at_the_end_and_never_passed() {
        assert_eq!(percent(999, 1000), Some(99));
        assert_eq!(percent(u64::MAX, u64::MAX), Some(100));
        assert_eq!(percent(5, 1), Some(100));
        assert_eq!(percent(0, 0), None);
    }
}
