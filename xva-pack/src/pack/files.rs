//! The files that blocks are read from: known by number, opened when they are needed, closed when too many are open,
//! and looked at again at the end.

use std::collections::HashMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use extents::document::map::file_state::FileState;
use extents::failure::{Failure, Status};
use extents::image::changed::changed;
use extents::image::file::ImageFile;
use extents::image::identity::{Identity, State};
use rustix::time::{ClockId, clock_gettime};

/// Which file of a [`Files`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileNumber(usize);

/// Files that are open at a time; a program may have 1024 descriptors, and often far less.
const MAX_OPEN: usize = 16;

/// Files that a map may name: 8 TiB in pieces of 2 GiB.
const MAX_FILES: usize = 4096;

/// A table of files, shared by the planner and the workers.
#[derive(Debug, Default)]
pub struct Files(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    known: Vec<Known>,
    by_name: HashMap<String, FileNumber>,
    /// Counts what was asked for, to find the file that was not used for the longest time.
    clock: u64,
    /// When the map began, in seconds and nanoseconds since 1970: whoever wrote it had opened all files by then.
    begun: Option<(i64, i64)>,
}

#[derive(Debug)]
struct Known {
    path: PathBuf,
    /// What it must still be when it is opened again, and at the end.
    was: State,
    open: Option<Arc<ImageFile>>,
    /// When it was asked for last, by the clock of the table.
    used: u64,
    /// A raw disk: it stays open, and may be written to while it is read, but must not change its size.
    is_disk: bool,
}

impl Files {
    /// The table of one raw disk.
    pub fn of_disk(disk: ImageFile) -> Result<(Arc<Self>, FileNumber), Failure> {
        let mut table = Table::default();
        let number = table.add(disk, true);
        Ok((Arc::new(Files(Mutex::new(table))), number))
    }

    /// An empty table.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes note that the map has begun, if it is for the first time. A file is opened when it is first mentioned, long
    /// after that perhaps.
    pub(crate) fn begin(&self) {
        let mut table = self.lock();
        table.begun.get_or_insert_with(|| {
            let now = clock_gettime(ClockId::Realtime);
            (now.tv_sec, now.tv_nsec)
        });
    }

    /// The number of the file of this name, which is opened when it is new. Status 1 if it is not in the state that the
    /// map describes; where the map says nothing of that, if it was written to or replaced since the map began.
    pub fn number(&self, name: &str, described: Option<&FileState>) -> Result<FileNumber, Failure> {
        let mut table = self.lock();
        if let Some(&number) = table.by_name.get(name) {
            if let Some(described) = described {
                table.find(number)?.check_described(described)?;
            }
            return Ok(number);
        }
        if table.known.len() == MAX_FILES {
            return Err(Failure::unsupported(format!("the map names more than {MAX_FILES} files")));
        }
        table.make_room();
        let file = open(Path::new(name), described.is_some())
            .map_err(|failure| elsewhere(failure, Path::new(name)))?;
        if described.is_none() {
            table.check_age(&file)?;
        }
        let number = table.add(file, false);
        if let Some(described) = described {
            table.find(number)?.check_described(described)?;
        }
        table.by_name.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The open file. Status 1 if it was closed meanwhile, and is another one now.
    pub fn get(&self, number: FileNumber) -> Result<Arc<ImageFile>, Failure> {
        let mut table = self.lock();
        table.clock += 1;
        let clock = table.clock;
        let known = table.find(number)?;
        known.used = clock;
        if let Some(file) = &known.open {
            return Ok(Arc::clone(file));
        }
        table.make_room();
        let known = table.find(number)?;
        let file = Arc::new(open(&known.path, true)?);
        known.compare(&file.state())?;
        known.open = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Looks at all files again, at those that are open and at what their names lead to: status 1 if one has another size or
    /// was written to, or is another one now. Of a block device only identity and size count, and of a raw disk, which
    /// may be moved too, only the size.
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        for known in &self.lock().known {
            if let Some(file) = &known.open {
                let now = file.state_now()?;
                known.compare(&if known.is_disk { State { size: now.size, ..known.was } } else { now })?;
            }
            if !known.is_disk {
                known.compare(&open(&known.path, true)?.state())?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, file: ImageFile, is_disk: bool) -> FileNumber {
        let was = file.state();
        let path = file.path().to_path_buf();
        self.known.push(Known { path, was, open: Some(Arc::new(file)), used: self.clock, is_disk });
        FileNumber(self.known.len() - 1)
    }

    /// Fails with status 1 if `file` was written to, or came under its name, since the map began. A rename changes the
    /// time of the inode, and not that of the content. Of a block device nothing is known.
    fn check_age(&self, file: &ImageFile) -> Result<(), Failure> {
        if !file.is_block_device() && self.begun.is_some_and(|begun| file.state().changed > begun) {
            let what = "changed since the map began: it was written to, or replaced by another file";
            return Err(Failure::system(what).in_file(file.path()));
        }
        Ok(())
    }

    fn find(&mut self, number: FileNumber) -> Result<&mut Known, Failure> {
        self.known.get_mut(number.0).ok_or_else(|| Failure::system("a file number that was never given out"))
    }

    /// Closes the file that was not used for the longest time, if there are many.
    fn make_room(&mut self) {
        if self.known.iter().filter(|known| known.open.is_some()).count() >= MAX_OPEN {
            let open = self.known.iter_mut().filter(|known| known.open.is_some() && !known.is_disk);
            if let Some(oldest) = open.min_by_key(|known| known.used) {
                oldest.open = None;
            }
        }
    }
}

impl Known {
    /// Fails with status 1 unless the file is in the state that it was in when it was opened.
    fn compare(&self, now: &State) -> Result<(), Failure> {
        match self.was.difference(now) {
            Some(what) => Err(changed(&self.path, &what)),
            None => Ok(()),
        }
    }

    /// Fails with status 1 unless the file was opened in the state that the map describes. The number of a block device is
    /// its own affair: it is another one after a restart.
    fn check_described(&self, described: &FileState) -> Result<(), Failure> {
        let mut expected = self.was;
        match (*described, self.was.identity) {
            (FileState::Device { size }, Identity::Device(_)) => expected.size = size,
            (FileState::File { size, device, inode, modified, changed }, Identity::File { .. }) => {
                expected = State { identity: Identity::File { device, inode }, size, modified, changed };
            }
            _ => return Err(changed(&self.path, "it was a block device, or is one now")),
        }
        match expected.difference(&self.was) {
            Some(what) => {
                Err(Failure::system(format!("changed since the map was begun: {what}; make the map again"))
                    .in_file(&self.path))
            }
            None => Ok(()),
        }
    }
}

/// Opens the file `path`, which if it was `there` before was a file or block device. One that is an output is refused
/// (status 2), whatever it was.
fn open(path: &Path, there: bool) -> Result<ImageFile, Failure> {
    ImageFile::open(path).map_err(|failure| match failure.status() {
        Status::Usage if there && !can_seek(path) => {
            changed(path, "it is no file and no block device any more")
        }
        _ => failure,
    })
}

/// The `failure` to open the file `path` that a map names: where it is not there, the map may have been made in another directory.
fn elsewhere(failure: Failure, path: &Path) -> Failure {
    if path.is_absolute() || !matches!(path.try_exists(), Ok(false)) {
        return failure;
    }
    Failure::system(format!("{failure}; is this the directory that the map was made in?"))
}

fn can_seek(path: &Path) -> bool {
    let kind = std::fs::metadata(path).map(|found| found.file_type());
    kind.is_ok_and(|kind| kind.is_file() || kind.is_block_device())
}

#[cfg(test)]
mod tests;
