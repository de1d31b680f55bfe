//! `--progress`: a bar on stderr for people, or lines `N/100` on a descriptor for programs, as nbdcopy writes them.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use extents::failure::Failure;
use extents::image::overwrite;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// The progress of long work, as the user asked to see it.
#[derive(Debug)]
pub struct Progress(Display);

#[derive(Debug)]
enum Display {
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
    /// Shows it as the user asked. A bar is drawn only where stderr is a terminal.
    ///
    /// The descriptor is opened by its name in /dev/fd: a pipe or a file, no socket. Status 2 if the data goes there, or comes
    /// from there.
    pub fn new(request: Option<Destination>) -> Result<Self, Failure> {
        let display = match request {
            Some(Destination::Descriptor(descriptor)) => {
                let path = format!("/dev/fd/{descriptor}");
                // Opening a named pipe that nobody reads any more would wait forever.
                let flags = OFlags::NONBLOCK.bits().cast_signed();
                let out = OpenOptions::new().append(true).custom_flags(flags).open(&path);
                let out = out.map_err(|e| Failure::usage(format!("--progress: cannot open {path}: {e}")))?;
                if let Ok(found) = out.metadata() {
                    overwrite::writes(&found, Path::new(&format!("--progress={descriptor}")))?;
                }
                Display::Lines { out, last: None }
            }
            Some(Destination::Bar) if std::io::stderr().is_terminal() => Display::Bar(bar()),
            _ => Display::Silent,
        };
        Ok(Progress(display))
    }

    /// Shows that `done` bytes of `total` are done, where that is known.
    pub fn set(&mut self, done: u64, total: Option<u64>) {
        match &mut self.0 {
            Display::Silent => {}
            Display::Bar(bar) => {
                if let Some(total) = total.filter(|total| bar.length() != Some(*total)) {
                    bar.set_length(total);
                    set_style(bar, KNOWN);
                }
                bar.set_position(done);
            }
            Display::Lines { out, last } => {
                let Some(percent) = total.and_then(|total| percent(done, total)) else { return };
                if last.is_none_or(|last| percent > last) && is_read(out) {
                    *last = Some(percent);
                    let _ = writeln!(out, "{percent}/100");
                }
            }
        }
    }

    /// Shows that all is done.
    pub fn finish(&mut self) {
        match &self.0 {
            Display::Bar(bar) => {
                bar.finish();
                // It leaves the cursor after the bar, where the next line would begin.
                if !bar.is_hidden() {
                    let _ = writeln!(std::io::stderr());
                }
            }
            _ => self.set(1, Some(1)),
        }
    }
}

/// Whether a line can be written without waiting. A reader that is slow or gone is no reason to end the work, and a
/// write to a pipe that nobody reads would.
fn is_read(out: &File) -> bool {
    let mut polled = [PollFd::new(out, PollFlags::OUT)];
    let answered = poll(&mut polled, Some(&Timespec::default()));
    answered.is_ok() && polled.iter().all(|fd| fd.revents() == PollFlags::OUT)
}

/// Rounded down, so that 100 means done.
fn percent(done: u64, total: u64) -> Option<u64> {
    let share = u128::from(done.min(total)) * 100;
    share.checked_div(u128::from(total)).and_then(|percent| u64::try_from(percent).ok())
}

/// How a bar looks when the length is known, within 80 columns.
const KNOWN: &str =
    "{wide_bar} {percent:>3}%  {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta}";
/// How a bar looks when the length is not known.
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
