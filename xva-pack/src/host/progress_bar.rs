//! A bar on stderr: whose line it is, how far it is, and how it ends.

use std::fmt::Write as _;
use std::io::Write as _;

use extents::frame::messages;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rustix::termios::tcgetwinsize;

use crate::host::progress_line::{MIN_NAME, amount, parts, percent, rate, shown, template, time};

/// Columns of a terminal that does not know how many it has.
const COLUMNS: usize = 80;

/// What a disk is among all of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which one it is, from 1 on.
    pub number: usize,
    /// How many there are.
    pub count: usize,
    /// Bytes of those before it.
    pub before: u64,
    /// Its bytes.
    pub size: u64,
}

/// A bar on stderr.
#[derive(Debug)]
pub(crate) struct Bar {
    drawn: ProgressBar,
    /// What is worked on, in printable ASCII.
    name: String,
    /// The room for it.
    name_width: usize,
    /// The disk at hand, and the bytes of all.
    share: Option<(Share, u64)>,
    /// Bytes of the disk whose own line it is; none where one line shows all of the work.
    disk: Option<u64>,
    /// Columns and total that the line is laid out for.
    layout: Option<(usize, Option<u64>)>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Drawn,
    Left,
}

impl Bar {
    pub(crate) fn new() -> Self {
        Bar {
            drawn: new_line(),
            name: String::new(),
            name_width: 0,
            share: None,
            disk: None,
            layout: None,
            state: State::New,
        }
    }

    /// Says what is worked on. The room for names never shrinks.
    pub(crate) fn set_name(&mut self, name: &str) {
        self.name = shown(name);
        self.make_room();
    }

    /// Says which of several disks it is, of `all` bytes.
    pub(crate) fn set_share(&mut self, share: Share, all: u64) {
        if share.count > 1 {
            let Share { number, count, .. } = share;
            let _ = write!(self.name, " {number:>0$}/{count}", count.to_string().len());
            self.share = Some((share, all));
            self.make_room();
        }
    }

    /// Begins a line of its own for the disk `name`, of which [`Bar::set_disk`] says how far it is.
    pub(crate) fn begin_disk(&mut self, name: &str, share: Share, all: u64) {
        self.abandon();
        (self.drawn, self.share, self.state) = (new_line(), None, State::New);
        self.set_name(name);
        self.set_share(share, all);
        self.disk = Some(share.size);
    }

    fn make_room(&mut self) {
        self.name_width = self.name_width.max(self.name.len()).max(MIN_NAME);
        self.layout = None;
    }

    /// Draws that `done` bytes of `total` are done, where that is known, if no disk has a line of its own. All is done only
    /// when [`Bar::finish`] says so.
    pub(crate) fn set(&mut self, done: u64, total: Option<u64>) {
        if self.disk.is_none() {
            self.draw(done, total);
        }
    }

    /// Draws that `done` bytes are done of the disk that has its own line.
    pub(crate) fn set_disk(&mut self, done: u64) {
        if self.disk.is_some() {
            self.draw(done, self.disk);
        }
    }

    /// Ends the line of the disk, if it has one.
    pub(crate) fn end_disk(&mut self, is_done: bool) {
        match self.disk {
            Some(_) if is_done => self.finish(),
            Some(_) => self.abandon(),
            None => {}
        }
    }

    fn draw(&mut self, done: u64, total: Option<u64>) {
        if self.state == State::Left {
            return;
        }
        let (columns, total) = (columns(), total.map(|total| total.max(1)));
        if self.layout != Some((columns, total)) {
            self.layout = Some((columns, total));
            self.lay_out(columns, total);
        }
        if self.state == State::New {
            messages::share_line(!self.drawn.is_hidden());
            self.state = State::Drawn;
        }
        self.drawn.set_position(total.map_or(done, |total| done.min(total - 1)));
    }

    fn lay_out(&self, columns: usize, total: Option<u64>) {
        let (name, width, all) = (self.name.clone(), self.name_width, self.share);
        let parts = parts(self.name_width, total, all.is_some());
        let Ok(style) = ProgressStyle::with_template(&template(parts, columns)) else { return };
        let style = style
            .progress_chars("=> ")
            .with_key("name", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{name:width$}");
            })
            .with_key("share", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:>3}%", percent(state.pos(), state.len().unwrap_or(0)).unwrap_or(0));
            })
            .with_key("amount", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // Rounded as if all were done: what is held back for the end is a byte.
                let next = state.pos().saturating_add(1);
                let _ =
                    write!(out, "{}", amount(if total == Some(next) { next } else { state.pos() }, total));
            })
            .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", rate(state.per_sec()));
            })
            .with_key("time", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", time(state));
            })
            .with_key("all", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                if let Some((share, all)) = all {
                    let done = share.before_and(state.pos(), state.len().unwrap_or(0));
                    let _ = write!(out, "all {:>3}%", percent(done, all).unwrap_or(0));
                }
            });
        // Before anything that draws.
        self.drawn.set_style(style);
        if let Some(total) = total {
            self.drawn.set_length(total);
        }
    }

    /// Draws that all is done.
    pub(crate) fn finish(&mut self) {
        if self.state == State::New {
            self.draw(0, self.disk);
        }
        self.leave(ProgressBar::finish);
    }

    /// Leaves the bar where it is.
    pub(crate) fn abandon(&mut self) {
        if self.state == State::Drawn {
            self.leave(ProgressBar::abandon);
        }
    }

    fn leave(&mut self, end: impl Fn(&ProgressBar)) {
        if self.state == State::Left {
            return;
        }
        end(&self.drawn);
        // It leaves the cursor after the bar, where the next line would begin.
        if !self.drawn.is_hidden() {
            let _ = writeln!(std::io::stderr());
        }
        messages::share_line(false);
        self.state = State::Left;
    }
}

fn new_line() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
}

impl Share {
    /// Bytes of the disks before it, and what of its own `done` of `total` is.
    fn before_and(self, done: u64, total: u64) -> u64 {
        let own = u128::from(self.size) * u128::from(done.min(total)) / u128::from(total.max(1));
        self.before.saturating_add(u64::try_from(own).unwrap_or(self.size))
    }
}

/// Columns of the terminal that stderr is, now: its window may be resized at any time.
fn columns() -> usize {
    let size = tcgetwinsize(std::io::stderr()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or(COLUMNS, |size| usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_counted_after_those_before_it() {
        let share = Share { number: 2, count: 3, before: 100, size: 300 };
        assert_eq!(share.before_and(0, 50), 100);
        assert_eq!(share.before_and(25, 50), 250);
        assert_eq!(share.before_and(50, 50), 400);
        assert_eq!(share.before_and(60, 50), 400);
        assert_eq!(share.before_and(0, 0), 100);
        let largest = Share { before: u64::MAX, size: u64::MAX, ..share };
        assert_eq!(largest.before_and(1, 1), u64::MAX);
    }
}
