//! The standard streams: as data, without line buffering, and never by accident something else.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::failure::Failure;
use crate::image::overwrite;

/// A descriptor that is waited for where another process has made it non-blocking: a slow partner, not an error.
///
/// It is unbuffered. Put a `BufWriter` around it for small writes, and flush that one by hand: dropping it would swallow
/// the last error.
#[derive(Debug)]
pub struct Waiting<F>(pub F);

impl<F: AsFd> Waiting<F> {
    /// Repeats `action` until it is done, or fails for another reason than that it would have to wait.
    fn until_done<T>(
        &mut self,
        events: PollFlags,
        mut action: impl FnMut(&mut F) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match action(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.0, events)], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                done => return done,
            }
        }
    }
}

impl<F: AsFd + Read> Read for Waiting<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.until_done(PollFlags::IN, |file| file.read(bytes))
    }
}

impl<F: AsFd + Write> Write for Waiting<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        overwrite::writing();
        self.until_done(PollFlags::OUT, |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<F: AsFd> AsFd for Waiting<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A handle of its own on descriptor 1.
pub fn stdout() -> Result<Waiting<File>, Failure> {
    let fd = io::stdout().as_fd().try_clone_to_owned();
    fd.map(|fd| Waiting(File::from(fd))).map_err(|error| Failure::output(&error))
}

/// A handle of its own on descriptor 0. Status 1 if there is none: what is open in its place is none.
pub fn stdin() -> Result<File, Failure> {
    if stdin_was_closed() {
        return Err(Failure::system("standard input is closed"));
    }
    let fd = io::stdin().as_fd().try_clone_to_owned();
    fd.map(File::from).map_err(|error| Failure::system(format!("standard input: cannot open: {error}")))
}

/// Standard input as the place where `what` comes from. Status 2 for a terminal, where nobody knows that it is waited for.
pub(crate) fn stdin_with(what: &str) -> Result<File, Failure> {
    let file = stdin()?;
    if file.is_terminal() {
        return Err(Failure::usage(format!(
            "standard input is a terminal: expected {what} from a pipe or file; see --help"
        )));
    }
    Ok(file)
}

/// Whether descriptor 0 was closed when the program was started.
///
/// The standard library opens /dev/null in its place before `main`, so that afterwards a `>&-` cannot be told from
/// a caller's read-write /dev/null (Python's `DEVNULL`); an export into nowhere would then look finished.
static STDIN_WAS_CLOSED: AtomicBool = AtomicBool::new(false);
/// Whether descriptor 1 was closed when the program was started: see [`STDIN_WAS_CLOSED`].
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Takes note of closed streams. The programs call it before `main`; see [`crate::main!`].
#[doc(hidden)]
pub fn look_at_descriptors() {
    let closed = |fd| rustix::io::fcntl_getfd(fd).is_err();
    STDIN_WAS_CLOSED.store(closed(rustix::stdio::stdin()), Ordering::Relaxed);
    STDOUT_WAS_CLOSED.store(closed(rustix::stdio::stdout()), Ordering::Relaxed);
}

fn stdin_was_closed() -> bool {
    STDIN_WAS_CLOSED.load(Ordering::Relaxed)
}

pub(crate) fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}
