//! What `xva-unpack` does with the disks of an archive: pass over them, check them, or write them out.

use std::collections::HashMap;
use std::path::PathBuf;

use extents::failure::Failure;
use extents::frame::input::InputName;

use crate::host::progress::Progress;
use crate::host::progress_bar::Share;
use crate::unpack::directory::{check_directory, file_of};
use crate::unpack::findings::Policy;
use crate::unpack::learned_sizes::learn;
use crate::unpack::options::Options;
use crate::unpack::output_name::OutputName;
use crate::unpack::raw_output::RawOutput;
use crate::unpack::sink::{BlockPlace, Sink};

/// What is done with an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// The blocks of its disks are counted.
    List,
    /// Their bytes are read and checked.
    Verify,
    /// The bytes of some of their blocks are.
    Sample,
    /// Its metadata is printed, and nothing after it is looked at.
    PrintOva,
    /// One disk is written out.
    One {
        /// Its directory in the archive.
        prefix: String,
        /// Where it is written to.
        output: OutputName,
    },
    /// Each disk is written to a file in a directory.
    All {
        /// The directory, which is made if it is not there.
        directory: PathBuf,
    },
}

impl Task {
    /// Which findings end the work: whoever verifies wants to know of all that the importer would refuse.
    pub fn policy(&self, keep_going: bool) -> Policy {
        Policy { strict: matches!(self, Task::Verify | Task::Sample), keep_going }
    }

    /// The disk after which nothing more is read.
    pub fn only(&self) -> Option<&str> {
        match self {
            Task::One { prefix, .. } => Some(prefix),
            _ => None,
        }
    }

    /// Whether standard output takes the bytes of a disk, and nothing else.
    pub fn is_to_stdout(&self) -> bool {
        matches!(self, Task::One { output: OutputName::Stdout, .. })
    }
}

/// The task, while an archive is read.
#[derive(Debug)]
pub struct Unpacker<'a> {
    task: &'a Task,
    force: bool,
    keep_going: bool,
    progress: Progress,
    output: Option<RawOutput>,
    /// The disks that the metadata announced, and what is wanted of each, in bytes.
    announced: Vec<(String, u64)>,
    /// Bytes of disks of which neither the metadata nor the user says it.
    learned: HashMap<String, u64>,
}

impl<'a> Unpacker<'a> {
    /// Nothing is written before the first disk begins. With `force`, files that exist are overwritten; with
    /// `keep_going`, disks that are damaged are written out all the same, as far as they came.
    pub fn new(task: &'a Task, force: bool, keep_going: bool, mut progress: Progress) -> Self {
        progress.set_name(match task {
            Task::List | Task::PrintOva => "reading",
            Task::Verify | Task::Sample => "checking",
            Task::One { prefix, .. } => prefix,
            Task::All { .. } => "unpacking",
        });
        Unpacker {
            task,
            force,
            keep_going,
            progress,
            output: None,
            announced: Vec::new(),
            learned: HashMap::new(),
        }
    }

    /// Opens what is written to, as far as it is known before `archive` is read, so that what cannot be done is not begun.
    /// A device is not begun before it is known whether the disk fits: the archive is passed over for that.
    pub fn prepare(&mut self, archive: &InputName, options: &Options) -> Result<(), Failure> {
        let may_be_device = match self.task {
            Task::List | Task::Verify | Task::Sample | Task::PrintOva => false,
            Task::One { prefix, .. } => {
                self.output = self.open(prefix)?;
                let is_device = self.output.as_ref().is_some_and(RawOutput::is_device);
                is_device && options.size_of(prefix).is_none()
            }
            Task::All { directory } => check_directory(directory)?,
        };
        if may_be_device {
            self.learned = learn(archive, self.task.only(), self.keep_going)?;
        }
        Ok(())
    }

    /// Ends the progress: it is shown that all is done, if that is so.
    pub fn finish(&mut self, is_done: bool) {
        if is_done {
            self.progress.finish();
        } else {
            self.progress.abandon();
        }
    }

    /// Begins to show how far the disk `prefix` is, on a line of its own if it was announced.
    fn show(&mut self, prefix: &str) {
        let Some(at) = self.announced.iter().position(|(announced, _)| announced == prefix) else {
            return self.progress.set_name(prefix);
        };
        let sum = |disks: &[(String, u64)]| disks.iter().fold(0, |sum: u64, disk| sum.saturating_add(disk.1));
        let (before, size) = (sum(&self.announced[..at]), self.announced[at].1);
        let share = Share { number: at + 1, count: self.announced.len(), before, size };
        self.progress.begin_disk(prefix, share, sum(&self.announced));
    }

    /// Where the disk `prefix` is written to.
    fn open(&self, prefix: &str) -> Result<Option<RawOutput>, Failure> {
        let output = match self.task {
            Task::List | Task::Verify | Task::Sample | Task::PrintOva => return Ok(None),
            Task::One { output: OutputName::Stdout, .. } => RawOutput::stdout(),
            Task::One { output: OutputName::File(file), .. } => RawOutput::open(file, self.force),
            Task::All { directory } => {
                if !directory.is_dir() {
                    std::fs::create_dir(directory)
                        .map_err(|e| Failure::io(directory, "cannot create", &e))?;
                }
                RawOutput::open(&file_of(directory, prefix)?, self.force)
            }
        };
        output.map(Some)
    }
}

impl Sink for Unpacker<'_> {
    fn wants(&self, disk: &str) -> bool {
        match self.task {
            Task::List | Task::Sample | Task::PrintOva => false,
            Task::Verify | Task::All { .. } => true,
            Task::One { prefix, .. } => prefix == disk,
        }
    }

    fn expect(&mut self, disk: &str, size: u64) -> Result<(), Failure> {
        self.announced.push((disk.to_owned(), size));
        match (self.task, &mut self.output) {
            (Task::One { prefix, .. }, Some(output)) if prefix == disk => output.check_room(disk, Some(size)),
            (Task::All { directory }, _) if directory.is_dir() => {
                RawOutput::rehearse(&file_of(directory, disk)?, self.force, disk, Some(size))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, disk: &str, size: Option<u64>) -> Result<(), Failure> {
        if matches!(self.task, Task::All { .. }) {
            self.show(disk);
        }
        if self.output.is_none() {
            self.output = self.open(disk)?;
        }
        let size = size.or_else(|| self.learned.get(disk).copied());
        self.output.as_mut().map_or(Ok(()), |output| output.check_room(disk, size))
    }

    fn block(&mut self, place: &BlockPlace<'_>) -> Result<(), Failure> {
        self.progress.set_disk(place.offset);
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.output.as_mut().map_or(Ok(()), |output| output.write(offset, bytes))
    }

    fn end(&mut self, size: u64, whole: bool) -> Result<(), Failure> {
        match self.output.take() {
            Some(output) if whole || self.keep_going => output.finish(size)?,
            _ => {}
        }
        if matches!(self.task, Task::All { .. }) {
            self.progress.end_disk(whole);
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: Option<u64>) {
        self.progress.set(done, total);
    }
}
