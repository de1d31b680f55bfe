//! Where a disk is unpacked to: a sparse file, or a stream in which gaps are zeros.
//!
//! A file appears under its name only when all of the disk is in it and on the medium; a block device, a pipe and
//! standard output get the bytes as they come.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use extents::failure::Failure;
use extents::frame::streams::{self, Waiting};
use extents::image::overwrite;
use rustix::fs::OFlags;

use crate::host::destination::{Destination, Kind};
use crate::host::mounts::user_of;
use crate::host::whole_file::WholeFile;
use crate::unpack::sparse_file::SparseFile;

/// Zeros written at once to a stream.
const ZEROS: usize = 64 << 10;

/// A disk on its way out.
#[derive(Debug)]
pub(crate) struct RawOutput {
    /// What it is called in messages.
    name: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Sparse(SparseFile),
    Stream { out: Outlet, written: u64 },
}

#[derive(Debug)]
enum Outlet {
    Stdout(Waiting<File>),
    /// A block device, a pipe, a character device.
    Special(File),
}

impl RawOutput {
    /// Standard output; whoever calls this looked whether it is a terminal.
    pub(crate) fn stdout() -> Result<Self, Failure> {
        let target = Target::Stream { out: Outlet::Stdout(streams::stdout()?), written: 0 };
        Ok(RawOutput { name: PathBuf::from("standard output"), target })
    }

    /// The file or device `path`.
    ///
    /// Refused (status 2) without `force`: a file that exists, and a block device. Refused (status 1) a block device
    /// that is in use (mounted, for example), a link that leads nowhere, and a file that would come to lie among the devices.
    pub(crate) fn open(path: &Path, force: bool) -> Result<Self, Failure> {
        let destination = look(path, force)?;
        let flags = match destination.kind {
            Kind::New | Kind::File(_) => {
                let target = Target::Sparse(SparseFile(WholeFile::create(destination, force)?));
                return Ok(RawOutput { name: path.to_path_buf(), target });
            }
            // Without O_CREAT, O_EXCL is about block devices: one that is mounted, or part of a volume group, is busy.
            Kind::Device => OFlags::EXCL.bits().cast_signed(),
            Kind::Stream => 0,
        };
        let file = OpenOptions::new().write(true).custom_flags(flags).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::ResourceBusy => {
                let what =
                    format!("cannot open for writing: {}: expected a device that nobody uses", user_of(path));
                Failure::system(what).in_file(path)
            }
            _ => Failure::io(path, "cannot open for writing", &error),
        })?;
        let target = Target::Stream { out: Outlet::Special(file), written: 0 };
        Ok(RawOutput { name: path.to_path_buf(), target })
    }

    /// Fails as [`RawOutput::open`] and [`RawOutput::check_room`] would, and leaves all as it is.
    pub(crate) fn rehearse(path: &Path, force: bool, disk: &str, size: Option<u64>) -> Result<(), Failure> {
        match look(path, force)?.kind {
            // To open a pipe is to wait for its reader.
            Kind::Stream => Ok(()),
            _ => RawOutput::open(path, force)?.check_room(disk, size),
        }
    }

    /// Whether it is a block device, which has only so much room.
    pub(crate) fn is_device(&self) -> bool {
        match &self.target {
            Target::Sparse(_) => false,
            Target::Stream { out, .. } => out.is_device(),
        }
    }

    /// Refuses a block device that is too small for the `size` bytes of `disk` (status 1), or may be, as the size is not
    /// known (status 2): it would be written over up to its end.
    pub(crate) fn check_room(&mut self, disk: &str, size: Option<u64>) -> Result<(), Failure> {
        let Target::Stream { out, .. } = &mut self.target else { return Ok(()) };
        if !out.is_device() {
            return Ok(());
        }
        let Some(size) = size else {
            return Err(Failure::usage(format!(
                "whether there is room cannot be known: found no size of disk {disk}, expected --size {disk}=BYTES"
            ))
            .in_file(&self.name));
        };
        let room = out.room().map_err(|e| Failure::io(&self.name, "cannot seek", &e))?;
        if room < size {
            let what = format!("the device is too small: found {room} bytes, expected at least {size}");
            return Err(Failure::system(what).in_file(&self.name));
        }
        Ok(())
    }

    /// Writes `bytes` at guest byte `offset`, which never decreases.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        overwrite::writing();
        let done = match &mut self.target {
            Target::Sparse(file) => file.write(offset, bytes),
            Target::Stream { out, written } => fill(out, written, offset)
                .and_then(|()| out.write_all(bytes))
                .map(|()| *written += bytes.len() as u64),
        };
        done.map_err(|e| Failure::io(&self.name, &format!("cannot write at byte {offset}"), &e))
    }

    /// Makes it `size` bytes long, and gives a file its name.
    pub(crate) fn finish(self, size: u64) -> Result<(), Failure> {
        let done = match self.target {
            Target::Sparse(file) => file.finish(size),
            Target::Stream { mut out, mut written } => {
                fill(&mut out, &mut written, size).and_then(|()| out.finish())
            }
        };
        done.map_err(|e| Failure::io(&self.name, "cannot finish writing", &e))
    }
}

/// What is at `path`, if it may be written to.
fn look(path: &Path, force: bool) -> Result<Destination, Failure> {
    let destination = Destination::of(path)?;
    match destination.kind {
        Kind::File(_) | Kind::Device if !force => {
            Err(Failure::usage("exists already: --force overwrites it").in_file(path))
        }
        Kind::New if is_among_devices(path) => {
            let what =
                "no such device: is its volume active? A file among the devices would be kept in memory";
            Err(Failure::system(what).in_file(path))
        }
        _ => Ok(destination),
    }
}

/// Whether a new file called `target` would lie in the folder of devices.
fn is_among_devices(target: &Path) -> bool {
    let folder = target.parent().and_then(|folder| folder.canonicalize().ok());
    let folder = folder.as_deref().or(target.parent()).unwrap_or(target);
    folder.starts_with("/dev") && !folder.starts_with("/dev/shm")
}

/// Writes zeros up to guest byte `end`.
fn fill(out: &mut Outlet, written: &mut u64, end: u64) -> io::Result<()> {
    let gap = end.saturating_sub(*written);
    if gap > 0 {
        let mut source = io::repeat(0).take(gap);
        io::copy(&mut source, &mut io::BufWriter::with_capacity(ZEROS, &mut *out))?;
    }
    *written += gap;
    Ok(())
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Outlet::Stdout(out) => out.write(bytes),
            Outlet::Special(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Outlet {
    fn file(&self) -> &File {
        match self {
            Outlet::Stdout(out) => &out.0,
            Outlet::Special(out) => out,
        }
    }

    fn is_device(&self) -> bool {
        self.file().metadata().is_ok_and(|found| found.file_type().is_block_device())
    }

    /// Bytes from where the next one is written to the end of a block device.
    fn room(&self) -> io::Result<u64> {
        let mut file = self.file();
        let position = file.stream_position()?;
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(position))?;
        Ok(end.saturating_sub(position))
    }

    /// What was written to a device is on it; a pipe has nothing to wait for.
    fn finish(&mut self) -> io::Result<()> {
        if self.is_device() { self.file().sync_all() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
