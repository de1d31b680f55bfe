//! Where a disk is unpacked to: a sparse file, or a stream in which gaps are zeros.
//!
//! A file appears under its name only when all of the disk is in it and on the medium; a block device, a pipe and
//! standard output get the bytes as they come.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use extents::failure::Failure;
use extents::frame::streams::{self, Waiting};
use rustix::fs::OFlags;

use crate::unpack::sparse_file::SparseFile;

/// Zeros written at once to a stream.
const ZEROS: usize = 64 << 10;

/// A disk on its way out.
#[derive(Debug)]
pub(crate) struct RawOutput {
    /// What it is called in messages; the path of a file.
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

    /// The file or device `path`, for a disk of `size` bytes if that is known.
    ///
    /// Refused (status 2) without `force`: a file that exists, and a block device. Refused (status 1) a block device
    /// that is too small or in use (mounted, for example), and a file that would come to lie among the devices.
    pub(crate) fn open(path: &Path, size: Option<u64>, force: bool) -> Result<Self, Failure> {
        let exists = std::fs::metadata(path).ok();
        let is_device = exists.as_ref().is_some_and(|found| found.file_type().is_block_device());
        let is_file = exists.as_ref().is_some_and(std::fs::Metadata::is_file);
        if (is_device || is_file) && !force {
            return Err(Failure::usage("exists already: --force overwrites it").in_file(path));
        }
        if exists.is_none() && is_among_devices(path) {
            let what =
                "no such device: is its volume active? A file among the devices would be kept in memory";
            return Err(Failure::system(what).in_file(path));
        }
        let target = if exists.is_none() || is_file {
            Target::Sparse(SparseFile::create(path, force)?)
        } else {
            // Without O_CREAT, O_EXCL is about block devices: one that is mounted, or part of a volume group, is busy.
            let flags = if is_device { OFlags::EXCL.bits().cast_signed() } else { 0 };
            let open = OpenOptions::new().write(true).custom_flags(flags).open(path);
            let mut file = open.map_err(|e| Failure::io(path, "cannot open for writing", &e))?;
            if is_device {
                check_room(&mut file, size.unwrap_or(0), path)?;
            }
            Target::Stream { out: Outlet::Special(file), written: 0 }
        };
        Ok(RawOutput { name: path.to_path_buf(), target })
    }

    /// Writes `bytes` at guest byte `offset`, which never decreases.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
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
            Target::Sparse(file) => file.finish(size, &self.name),
            Target::Stream { mut out, mut written } => {
                fill(&mut out, &mut written, size).and_then(|()| out.finish())
            }
        };
        done.map_err(|e| Failure::io(&self.name, "cannot finish writing", &e))
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

/// Fails with status 1 if a block device is smaller than the disk, before anything is written to it.
fn check_room(device: &mut File, size: u64, target: &Path) -> Result<(), Failure> {
    let room = device.seek(SeekFrom::End(0)).and_then(|room| device.rewind().map(|()| room));
    let room = room.map_err(|e| Failure::io(target, "cannot seek", &e))?;
    if room < size {
        let what = format!("the device is too small: found {room} bytes, expected at least {size}");
        return Err(Failure::system(what).in_file(target));
    }
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
    /// What was written to a device is on it; a pipe has nothing to wait for.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Outlet::Special(out) if out.metadata()?.file_type().is_block_device() => out.sync_all(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_is_sparse_and_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("d.raw");
        let mut truth = vec![0; 3 << 20];
        truth[1 << 20..(1 << 20) + 4096].fill(7);
        truth[(1 << 20) + 100_000..(1 << 20) + 110_000].fill(9);
        truth[(2 << 20) - 1] = 1;
        let mut output = RawOutput::open(&target, None, false).unwrap();
        output.write(1 << 20, &truth[1 << 20..2 << 20]).unwrap();
        let parts: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
        let name = parts[0].file_name().into_string().unwrap();
        assert!(parts.len() == 1 && name.starts_with(".d.raw."), "{name}");
        assert!(parts[0].path().extension().is_some_and(|extension| extension == "part"), "{name}");
        output.finish(3 << 20).unwrap();
        assert!(std::fs::read(&target).unwrap() == truth);
        assert!(target.metadata().unwrap().blocks() * 512 <= 64 << 10);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = RawOutput::open(&folder.path().join("d.raw"), None, false).unwrap();
        output.write(0, b"abc").unwrap();
        drop(output);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_file_of_another_is_touched_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("d.raw.part");
        std::fs::write(&theirs, "theirs").unwrap();
        let target = folder.path().join("d.raw");
        RawOutput::open(&target, None, false).unwrap().finish(0).unwrap();
        assert_eq!(std::fs::read(&theirs).unwrap(), b"theirs");
        assert!(RawOutput::open(&target, None, false).unwrap_err().to_string().contains("--force"));
    }

    #[test]
    fn of_two_runs_to_one_file_the_second_fails_or_replaces_all_of_it() {
        for force in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("d.raw");
            let mut first = RawOutput::open(&target, None, force).unwrap();
            let mut second = RawOutput::open(&target, None, force).unwrap();
            first.write(0, b"first").unwrap();
            second.write(0, b"second").unwrap();
            first.finish(5).unwrap();
            let done = second.finish(6);
            let expected = if force { &b"second"[..] } else { b"first" };
            assert_eq!(std::fs::read(&target).unwrap(), expected);
            assert_eq!(done.err().map(|failure| failure.status() as u8), (!force).then_some(1));
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_file_has_the_mode_of_any_new_file_and_the_longest_name_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (target, other) = (folder.path().join("d".repeat(255)), folder.path().join("other"));
        RawOutput::open(&target, None, false).unwrap().finish(0).unwrap();
        std::fs::write(&other, "").unwrap();
        assert_eq!(target.metadata().unwrap().mode(), other.metadata().unwrap().mode());
        for bad in ["nowhere/", "nowhere/.", "nowhere/.."] {
            assert!(RawOutput::open(&folder.path().join(bad), None, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn gaps_of_a_stream_are_zeros_up_to_the_size_of_the_disk() {
        let (mut reader, writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/dev/fd/{}", writer.as_raw_fd()));
        let mut output = RawOutput::open(&path, None, false).unwrap();
        drop(writer);
        output.write(1000, b"abc").unwrap();
        output.write(1003, b"d").unwrap();
        output.write(5000, b"e").unwrap();
        output.finish(6000).unwrap();
        let mut truth = vec![0; 6000];
        truth[1000..1004].copy_from_slice(b"abcd");
        truth[5000] = b'e';
        let mut found = Vec::new();
        reader.read_to_end(&mut found).unwrap();
        assert!(found == truth);
    }
}
