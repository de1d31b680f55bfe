//! `--progress`: a bar on stderr for people, or lines `N/100` on a descriptor for programs, as nbdcopy writes them.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use extents::failure::Failure;
use extents::image::overwrite;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::host::progress_bar::{Bar, Share};
use crate::host::progress_line::percent;

/// The progress of long work, as the user asked to see it. That all is done is shown by [`Progress::finish`] alone; what is
/// dropped before is left where it is.
#[derive(Debug)]
pub struct Progress(Display);

#[derive(Debug)]
enum Display {
    Silent,
    Bar(Box<Bar>),
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
            Some(Destination::Bar) if std::io::stderr().is_terminal() => Display::Bar(Box::new(Bar::new())),
            _ => Display::Silent,
        };
        Ok(Progress(display))
    }

    /// Says what is worked on, before a bar.
    pub fn set_name(&mut self, name: &str) {
        if let Display::Bar(bar) = &mut self.0 {
            bar.set_name(name);
        }
    }

    /// Says which of several disks it is, so that a bar shows how far all of them are. They have `all` bytes.
    pub fn set_share(&mut self, share: Share, all: u64) {
        if let Display::Bar(bar) = &mut self.0 {
            bar.set_share(share, all);
        }
    }

    /// Begins a line of a bar for the disk `name` alone, one of several that have `all` bytes.
    pub fn begin_disk(&mut self, name: &str, share: Share, all: u64) {
        if let Display::Bar(bar) = &mut self.0 {
            bar.begin_disk(name, share, all);
        }
    }

    /// Shows on its line that `done` bytes of the disk are done.
    pub fn set_disk(&mut self, done: u64) {
        if let Display::Bar(bar) = &mut self.0 {
            bar.set_disk(done);
        }
    }

    /// Ends the line of the disk: it is shown that all of it is done, if that is so.
    pub fn end_disk(&mut self, is_done: bool) {
        if let Display::Bar(bar) = &mut self.0 {
            bar.end_disk(is_done);
        }
    }

    /// Shows that `done` bytes of `total` are done, where that is known.
    pub fn set(&mut self, done: u64, total: Option<u64>) {
        if let Display::Bar(bar) = &mut self.0 {
            bar.set(done, total);
        } else if let Some(percent) = total.and_then(|total| percent(done, total)).filter(|_| done > 0) {
            // Nothing is written before something was read: until then the descriptor may turn out to be an input.
            self.write_line(0);
            self.write_line(percent.min(99));
        }
    }

    /// Shows that all is done.
    pub fn finish(&mut self) {
        match &mut self.0 {
            Display::Bar(bar) => bar.finish(),
            _ => self.write_line(100),
        }
    }

    /// Leaves a bar where it is, so that something else can be written after it.
    pub fn abandon(&mut self) {
        if let Display::Bar(bar) = &mut self.0 {
            bar.abandon();
        }
    }

    fn write_line(&mut self, percent: u64) {
        if let Display::Lines { out, last } = &mut self.0
            && last.is_none_or(|last| percent > last)
            && is_read(out)
        {
            *last = Some(percent);
            let _ = writeln!(out, "{percent}/100");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Whether a line can be written without waiting. A reader that is slow or gone is no reason to end the work, and a
/// write to a pipe that nobody reads would.
fn is_read(out: &File) -> bool {
    let mut polled = [PollFd::new(out, PollFlags::OUT)];
    let answered = poll(&mut polled, Some(&Timespec::default()));
    answered.is_ok() && polled.iter().all(|fd| fd.revents() == PollFlags::OUT)
}
