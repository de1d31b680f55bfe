//! No program writes into a file that it reads: an image would be gone, an archive would grow by what is read from it.
//!
//! Every file that is opened for reading, however late, is told to this table, and every output when its name is known:
//! whichever comes second is refused. Files are known by identity, whatever they are called. A pipe or a terminal may be both
//! ends of a program, and so may /dev/null.
//!
//! The table is that of a program. In a process that is none of ours there is none, and nothing is refused.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::failure::Failure;
use crate::image::identity::Identity;

static TABLE: OnceLock<Mutex<Table>> = OnceLock::new();

/// What a program reads and writes.
#[derive(Debug, Default)]
struct Table {
    read: HashSet<Identity>,
    /// Each with what the user calls it.
    written: HashMap<Identity, PathBuf>,
    /// Where the lines for people go: besides them, an output may go there too.
    messages: Option<Identity>,
    /// Bytes have been written: what is refused now is refused too late to be only a matter of usage.
    begun: bool,
}

impl Table {
    fn read(&mut self, found: &Metadata, path: &Path) -> Result<(), Failure> {
        let Some(identity) = kept(found) else { return Ok(()) };
        self.read.insert(identity);
        let messages = (self.messages == Some(identity)).then_some(Path::new("standard error"));
        match self.written.get(&identity).map(PathBuf::as_path).or(messages) {
            Some(output) => Err(self.refuse(path, "is read", output)),
            None => Ok(()),
        }
    }

    fn write(&mut self, found: &Metadata, path: &Path) -> Result<(), Failure> {
        if found.file_type().is_char_device() {
            return Ok(());
        }
        let identity = Identity::of(found);
        if kept(found).is_some_and(|identity| self.read.contains(&identity)) {
            return Err(self.refuse(path, "is read", path));
        }
        if let Some(output) = self.written.get(&identity).filter(|output| *output != path) {
            return Err(self.refuse(path, "is another output", output));
        }
        // What it replaced is gone, and another output may be the next file with that inode.
        self.written.retain(|_, output| output != path);
        self.written.insert(identity, path.to_path_buf());
        Ok(())
    }

    fn refuse(&self, path: &Path, what: &str, output: &Path) -> Failure {
        let output = if output == path { String::new() } else { format!(" to {}", output.display()) };
        let sentence = format!("{what}, and would be written{output}: expected another file");
        let refuse = if self.begun { Failure::system } else { Failure::usage };
        refuse(sentence).in_file(path)
    }
}

/// What must not be both read and written.
fn kept(found: &Metadata) -> Option<Identity> {
    let kind = found.file_type();
    (kind.is_file() || kind.is_block_device()).then(|| Identity::of(found))
}

fn table() -> Option<MutexGuard<'static, Table>> {
    TABLE.get().map(|table| table.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What a standard stream is.
fn metadata(stream: impl AsFd) -> io::Result<Metadata> {
    File::from(stream.as_fd().try_clone_to_owned()?).metadata()
}

/// Begins the table of this program, with its standard output and its standard error.
pub(crate) fn begin() {
    let messages = metadata(io::stderr()).ok().and_then(|found| kept(&found));
    let mut table = Table { messages, ..Table::default() };
    if let Ok(found) = metadata(io::stdout()) {
        // The table is empty.
        let _ = table.write(&found, Path::new("standard output"));
    }
    let _ = TABLE.set(Mutex::new(table));
}

/// Takes note that `path`, which `found` describes, is read.
///
/// Status 2 if it is an output too; 1 if output was written already.
pub fn reads(found: &Metadata, path: &Path) -> Result<(), Failure> {
    table().map_or(Ok(()), |mut table| table.read(found, path))
}

/// Takes note that an output goes to `path`, which `found` describes, or replaces it.
///
/// Status 2 if it is read, or is an output under another name; 1 if output was written already.
pub fn writes(found: &Metadata, path: &Path) -> Result<(), Failure> {
    table().map_or(Ok(()), |mut table| table.write(found, path))
}

/// Takes note that bytes of an output are about to be written.
pub fn writing() {
    if let Some(mut table) = table() {
        table.begun = true;
    }
}

/// Whether a standard stream may be written to: it is not a file that is read.
pub(crate) fn may_write(stream: impl AsFd) -> bool {
    table().is_none_or(|table| {
        let identity = metadata(stream).ok().and_then(|found| kept(&found));
        identity.is_none_or(|identity| !table.read.contains(&identity))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use std::fs;

    const STDOUT: &str = "standard output";

    /// A file, a second name of it, and another file.
    fn files() -> (tempfile::TempDir, [PathBuf; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let names = ["file", "link", "other"].map(|name| folder.path().join(name));
        fs::write(&names[0], "x").unwrap();
        fs::hard_link(&names[0], &names[1]).unwrap();
        fs::write(&names[2], "x").unwrap();
        (folder, names)
    }

    fn of(path: &Path) -> Metadata {
        fs::metadata(path).unwrap()
    }

    #[test]
    fn what_is_written_is_not_read_by_any_name_in_either_order() {
        let (_folder, [file, link, other]) = files();
        for status in [Status::Usage, Status::System] {
            let table = || Table { begun: status == Status::System, ..Table::default() };
            let mut output_first = table();
            output_first.write(&of(&file), Path::new(STDOUT)).unwrap();
            output_first.read(&of(&other), &other).unwrap();
            let refused = output_first.read(&of(&link), &link).unwrap_err();
            assert_eq!(refused.status(), status);
            assert!(
                refused.to_string().ends_with(
                    "link: is read, and would be written to standard output: expected another file"
                )
            );
            let mut input_first = table();
            input_first.read(&of(&file), &file).unwrap();
            input_first.read(&of(&link), &link).unwrap();
            input_first.write(&of(&other), &other).unwrap();
            assert_eq!(input_first.write(&of(&link), &link).unwrap_err().status(), status);
        }
    }

    #[test]
    fn two_outputs_are_two_files_but_one_may_be_named_twice() {
        let (_folder, [file, link, other]) = files();
        let mut table = Table::default();
        for path in [&file, &file, &other] {
            table.write(&of(path), path).unwrap();
        }
        assert!(table.write(&of(&link), &link).unwrap_err().to_string().contains("is another output"));
    }

    #[test]
    fn an_output_may_get_the_inode_of_the_file_that_another_one_replaced() {
        let (_folder, [file, _, other]) = files();
        let mut table = Table::default();
        let old = of(&file);
        table.write(&old, Path::new("first")).unwrap();
        table.write(&of(&other), Path::new("first")).unwrap();
        table.write(&old, Path::new("second")).unwrap();
    }

    #[test]
    fn messages_do_not_go_into_what_is_read_but_an_output_may_go_with_them() {
        let (_folder, [file, link, _]) = files();
        let mut table = Table { messages: kept(&of(&file)), ..Table::default() };
        assert!(table.read(&of(&link), &link).unwrap_err().to_string().contains("to standard error"));
        let mut table = Table { messages: kept(&of(&file)), ..Table::default() };
        table.write(&of(&link), &link).unwrap();
    }

    #[test]
    fn a_device_or_pipe_may_be_both_ends() {
        let null = Path::new("/dev/null");
        let mut table = Table::default();
        table.write(&of(null), Path::new(STDOUT)).unwrap();
        table.read(&of(null), null).unwrap();
        table.write(&of(null), null).unwrap();
        let (reader, _writer) = io::pipe().unwrap();
        let pipe = metadata(&reader).unwrap();
        table.write(&pipe, Path::new(STDOUT)).unwrap();
        table.read(&pipe, Path::new("standard input")).unwrap();
    }
}
