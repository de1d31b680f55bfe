//! A file that has its name only when all of it is written: whoever sees the name sees the whole, two runs never write to
//! one file, and what stood under the name stays until then.
//!
//! Until then it has no name at all, where the file system can do that, so that nothing is left of it whatever happens to
//! the program; elsewhere it has one that nothing else has.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use extents::failure::Failure;
use extents::image::overwrite;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
use tempfile::{Builder, NamedTempFile, PersistError};

use crate::host::attributes;
use crate::host::destination::{Destination, Kind, folder_of};

/// Bytes of the destination's name in that of the file until it is whole, which has a random part, too.
const MAX_PREFIX: usize = 200;

/// A file that is being written. Dropped before it is whole, it is gone.
#[derive(Debug)]
pub(crate) struct WholeFile {
    part: Part,
    /// What the user calls it.
    name: PathBuf,
    /// The name that it gets.
    path: PathBuf,
    /// What has its name in the end is replaced.
    force: bool,
}

#[derive(Debug)]
enum Part {
    Unnamed(File),
    Named(NamedTempFile),
}

impl WholeFile {
    /// Begins a file for `destination`: with the mode that any new file has, or with owner and mode of the one that it will
    /// replace. Status 1 if it cannot be created there, or cannot have the same owner.
    pub(crate) fn create(destination: Destination, force: bool) -> Result<Self, Failure> {
        let Destination { name, path, kind } = destination;
        if matches!(last_part(&path), b"" | b"." | b"..") {
            return Err(Failure::system("cannot create: expected the name of a file").in_file(&name));
        }
        // What it replaces may be for no other eyes.
        let mode = if matches!(kind, Kind::File(_)) { 0o600 } else { 0o666 };
        let part = match unnamed(folder_of(&path), mode) {
            Some(file) => Part::Unnamed(file),
            None => Part::named(&path, mode).map_err(|e| Failure::io(&name, "cannot create", &e))?,
        };
        if let Kind::File(old) = &kind {
            attributes::copy(&path, old, part.file())
                .map_err(|e| Failure::io(&name, "cannot give a new file its owner and mode", &e))?;
        }
        Ok(WholeFile { part, name, path, force })
    }

    /// The file, to be written.
    pub(crate) fn file(&self) -> &File {
        self.part.file()
    }

    /// Gives it its name, when it is on the medium.
    pub(crate) fn finish(self) -> io::Result<()> {
        let file = self.part.file().try_clone()?;
        file.sync_all()?;
        if self.force {
            self.part.replace(&self.path)?;
        } else {
            self.part.take_name(&self.path)?;
        }
        // No other output of this program goes there.
        let is_ours = overwrite::writes(&file.metadata()?, &self.name);
        is_ours.map_err(|failure| io::Error::other(failure.to_string()))
    }
}

impl Part {
    /// A file beside `path`, whose name begins as that of `path`.
    fn named(path: &Path, mode: u32) -> io::Result<Self> {
        let (prefix, permissions) = (part_prefix(path), Permissions::from_mode(mode));
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(".part").permissions(permissions);
        Ok(Part::Named(builder.tempfile_in(folder_of(path))?))
    }

    fn file(&self) -> &File {
        match self {
            Part::Unnamed(file) => file,
            Part::Named(file) => file.as_file(),
        }
    }

    /// The name `path`, under which nothing may stand.
    fn take_name(self, path: &Path) -> io::Result<()> {
        let done = match self {
            Part::Unnamed(file) => link(&file, path),
            Part::Named(file) => match file.persist_noclobber(path) {
                // Some network file systems know neither hard links nor a rename that fails where something stands.
                Err(PersistError { error, file })
                    if error.kind() != ErrorKind::AlreadyExists && path.symlink_metadata().is_err() =>
                {
                    file.persist(path).map(drop).map_err(|refused| refused.error)
                }
                done => done.map(drop).map_err(|refused| refused.error),
            },
        };
        done.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => io::Error::other("it appeared meanwhile: --force overwrites it"),
            _ => error,
        })
    }

    /// The name `path`, also in place of what has it.
    fn replace(self, path: &Path) -> io::Result<()> {
        match self {
            Part::Named(file) => file.persist(path).map(drop).map_err(|refused| refused.error),
            Part::Unnamed(file) => {
                match link(&file, path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    done => return done,
                }
                // No call of the system puts a file without a name in the place of another one.
                let prefix = part_prefix(path);
                let mut builder = Builder::new();
                let named = builder.prefix(&prefix).suffix(".part");
                let named = named.make_in(folder_of(path), |name| link(&file, name))?;
                named.persist(path).map(drop).map_err(|refused| refused.error)
            }
        }
    }
}

/// A file in `folder` that has no name; none where that cannot be, or could not get a name later.
fn unnamed(folder: &Path, mode: u32) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(open(folder, flags, Mode::from_raw_mode(mode)).ok()?);
    name_in_proc(&file).symlink_metadata().is_ok().then_some(file)
}

/// Gives an unnamed file the name `path`, where nothing may stand.
fn link(file: &File, path: &Path) -> io::Result<()> {
    Ok(linkat(CWD, name_in_proc(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// The only name by which a program without privileges can link it.
fn name_in_proc(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))
}

fn last_part(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// How the name of a file begins that will be called `path`.
fn part_prefix(path: &Path) -> OsString {
    let name = last_part(path);
    let mut prefix = OsString::from(".");
    prefix.push(OsStr::from_bytes(&name[..name.len().min(MAX_PREFIX)]));
    prefix.push(".");
    prefix
}

#[cfg(test)]
mod tests;
