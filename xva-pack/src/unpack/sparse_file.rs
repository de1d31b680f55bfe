//! A file that has another name until all of it is written: whoever sees the name sees the whole disk, and two runs
//! never write to one file.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use extents::failure::Failure;
use tempfile::{Builder, NamedTempFile};

use crate::host::zeros::is_zero;

/// Zeros of this length, from a multiple of it on, are left as a hole: the block of most file systems.
const HOLE: usize = 4096;

/// Bytes of the target's name in that of the file until it is whole, which has a random part, too.
const MAX_PREFIX: usize = 200;

/// A file under a name that nothing else has until it is whole. Dropped before, it is removed.
#[derive(Debug)]
pub(crate) struct SparseFile {
    part: NamedTempFile,
    /// What stands under its name in the end is replaced.
    force: bool,
}

impl SparseFile {
    /// Creates it beside `target`, with the mode that any new file has.
    pub(crate) fn create(target: &Path, force: bool) -> Result<Self, Failure> {
        let name = target.as_os_str().as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        if matches!(name, b"" | b"." | b"..") {
            return Err(Failure::system("cannot create: expected the name of a file").in_file(target));
        }
        let mut prefix = OsString::from(".");
        prefix.push(OsStr::from_bytes(&name[..name.len().min(MAX_PREFIX)]));
        prefix.push(".");
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let part = Builder::new()
            .prefix(&prefix)
            .suffix(".part")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")));
        let part = part.map_err(|e| Failure::io(target, "cannot create", &e))?;
        Ok(SparseFile { part, force })
    }

    /// Writes what is not zero.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut data: Option<usize> = None;
        for (at, chunk) in bytes.chunks(HOLE).enumerate().map(|(index, chunk)| (index * HOLE, chunk)) {
            match (data, is_zero(chunk)) {
                (None, false) => data = Some(at),
                (Some(from), true) => {
                    self.part.as_file().write_all_at(&bytes[from..at], offset + from as u64)?;
                    data = None;
                }
                _ => {}
            }
        }
        let from = data.unwrap_or(bytes.len());
        self.part.as_file().write_all_at(&bytes[from..], offset + from as u64)
    }

    /// Makes it `size` bytes long, and gives it the name `target` when it is on the medium.
    pub(crate) fn finish(self, size: u64, target: &Path) -> io::Result<()> {
        self.part.as_file().set_len(size)?;
        self.part.as_file().sync_all()?;
        if self.force {
            self.part.persist(target)?;
            return Ok(());
        }
        match self.part.persist_noclobber(target) {
            Ok(_) => Ok(()),
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
                Err(io::Error::other("it appeared meanwhile: --force overwrites it"))
            }
            // Some network file systems know neither hard links nor a rename that fails where something stands.
            Err(refused) if target.symlink_metadata().is_err() => {
                refused.file.persist(target)?;
                Ok(())
            }
            Err(refused) => Err(refused.into()),
        }
    }
}
