//! The bytes of an archive from a file or a pipe, in one direction, with their position.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;

use extents::extent::length::in_memory;
use extents::failure::{Failure, Status};
use extents::frame::input::InputName;
use extents::frame::streams::Waiting;
use extents::image::file::ImageFile;
use extents::image::identity::State;

use crate::host::page_cache;
use crate::host::pipe;
use crate::unpack::finding::{Finding, Stop};
use crate::unpack::window::Window;

/// Read at once where bytes are thrown away.
const DISCARD: usize = 64 << 10;

/// An archive being read.
#[derive(Debug)]
pub struct Input {
    file: Waiting<File>,
    name: InputName,
    /// Offset in the file at which reading began; 0 for what cannot seek.
    begun: u64,
    position: u64,
    /// Bytes from where reading began to the end, of a regular file or block device.
    size: Option<u64>,
    /// What was read ahead of such a file, which is read by position.
    window: Window,
    /// In which state the file was opened.
    state: State,
}

impl Input {
    /// Opens what the user named.
    pub fn open(name: &InputName) -> Result<Self, Failure> {
        let file = name.open("an archive")?;
        let metadata = file.0.metadata().map_err(|e| Failure::io(name.name(), "cannot stat", &e))?;
        // Measured, 1 GiB through `cat` into --verify: 0.40 s instead of 0.48.
        pipe::enlarge(&file);
        let mut input = Input {
            file,
            name: name.clone(),
            begun: 0,
            position: 0,
            size: None,
            window: Window::default(),
            state: State::of(&metadata),
        };
        if metadata.is_file() || metadata.file_type().is_block_device() {
            let bounds = bounds(&input.file.0).map_err(|e| Failure::io(name.name(), "cannot seek", &e));
            let (begun, end) = bounds?;
            input.begun = begun;
            input.size = Some(end.saturating_sub(begun));
        }
        Ok(input)
    }

    /// The archive in `image`, from its beginning; `name` is what the user called it.
    pub fn of_image(image: &ImageFile, name: &InputName) -> Result<Self, Failure> {
        let of = |what| move |error| Failure::io(image.path(), what, &error);
        let file = image.as_file().try_clone().map_err(of("cannot open again"))?;
        let state = State::of(&file.metadata().map_err(of("cannot stat"))?);
        Ok(Input {
            file: Waiting(file),
            name: name.clone(),
            begun: 0,
            position: 0,
            size: Some(image.size()),
            window: Window::default(),
            state,
        })
    }

    /// An archive of which headers are read, and little else: nothing is read ahead of them.
    #[must_use]
    pub fn by_headers(self) -> Self {
        if self.size.is_some() {
            page_cache::is_read_at_random(&self.file.0);
        }
        self
    }

    /// Whether the file has changed since it was opened. What cannot seek only goes on.
    pub(crate) fn has_changed(&self) -> bool {
        self.size.is_some() && !self.file.0.metadata().is_ok_and(|now| State::of(&now) == self.state)
    }

    /// Fails with status 1 if the file is shorter than it was when it was opened: what was left out may not be there.
    pub(crate) fn check_not_shorter(&self) -> Result<(), Failure> {
        let now = self.file.0.metadata().map_err(|e| Failure::io(self.name.name(), "cannot stat", &e))?;
        if self.size.is_none() || now.len() >= self.state.size {
            return Ok(());
        }
        let what = format!(
            "changed while it was read: found {} bytes, expected {}; try again",
            now.len(),
            self.state.size
        );
        Err(Failure::system(what).in_file(self.name.name()))
    }

    /// What a `failure` to read it is: what looks like damage in a file that has changed is a change (status 1).
    pub(crate) fn judge(&self, failure: Failure) -> Failure {
        if failure.status() != Status::Damaged || !self.has_changed() {
            return failure;
        }
        let (sentence, name) = (failure.to_string(), format!("{}: ", self.name.name().display()));
        let what = sentence.strip_prefix(&name).unwrap_or(&sentence);
        Failure::system(format!("changed while it was read: {what}; try again")).in_file(self.name.name())
    }

    /// What the user called it.
    pub(crate) fn name(&self) -> &InputName {
        &self.name
    }

    /// Bytes read or skipped so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes in all, if that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Fills `buffer` as far as the input goes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        let mut done = Ok(());
        if self.size.is_some() {
            let read = self.window.read(&self.file.0, buffer, self.begun + self.position);
            done = read.map(|count| filled = count);
        } else {
            while done.is_ok() && filled < buffer.len() {
                match self.file.read(&mut buffer[filled..]) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) => done = Err(error),
                }
            }
        }
        done.map_err(|error| {
            let what = format!("cannot read at byte {}", self.position + filled as u64);
            Failure::io(self.name.name(), &what, &error)
        })?;
        self.position += filled as u64;
        Ok(filled)
    }

    /// Fills all of `buffer`; `what` names the structure.
    pub(crate) fn read_exact(&mut self, buffer: &mut [u8], what: &str) -> Result<(), Stop> {
        if self.read(buffer)? == buffer.len() {
            return Ok(());
        }
        Err(self.ended_in(what).into())
    }

    /// Leaves out `length` bytes, which must be there.
    pub(crate) fn skip(&mut self, length: u64, what: &str) -> Result<(), Stop> {
        if let Some(size) = self.size {
            if length > size.saturating_sub(self.position) {
                self.position = size;
                return Err(self.ended_in(what).into());
            }
            self.position += length;
            return Ok(());
        }
        let mut buffer = vec![0; DISCARD];
        let mut left = length;
        while left > 0 {
            let now = left.min(DISCARD as u64);
            self.read_exact(&mut buffer[..in_memory(now)], what)?;
            left -= now;
        }
        Ok(())
    }

    /// Reads to the end, which a writer at the other end of a pipe waits for, and says how many bytes there were and
    /// whether all of them are zero. A regular file is not read further than the first that is not.
    pub(crate) fn drain(&mut self) -> Result<(u64, bool), Failure> {
        let begun = self.position;
        let mut zero = true;
        let mut buffer = vec![0; DISCARD];
        loop {
            let count = self.read(&mut buffer)?;
            zero &= buffer.iter().take(count).all(|&byte| byte == 0);
            match self.size {
                Some(size) if !zero => return Ok((size.saturating_sub(begun), false)),
                _ if count == 0 => return Ok((self.position - begun, zero)),
                _ => {}
            }
        }
    }

    fn ended_in(&self, what: &str) -> Finding {
        Finding::damage_at(self.position, format!("ends early, in {what}"))
    }
}

/// Where in a file or device reading begins, and where it ends. It may be passed as standard input when part of it was read
/// already.
fn bounds(mut file: &File) -> io::Result<(u64, u64)> {
    let begun = file.stream_position()?;
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(begun))?;
    Ok((begun, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;

    /// Gives `bytes` as a file to `test`, and then from a pipe.
    fn both(bytes: &[u8], test: impl Fn(Input)) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        test(Input::open(&InputName::File(file.path().to_path_buf())).unwrap());
        let (reader, mut writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        let input = Input::open(&InputName::File(path)).unwrap();
        drop(reader);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Whoever has seen enough closes the pipe.
                let _ = writer.write_all(bytes);
            });
            test(input);
        });
    }

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from(at / 1000 % 251).unwrap()).collect()
    }

    #[test]
    fn after_a_skip_of_any_length_the_next_byte_is_read() {
        let bytes = numbered(4 * DISCARD);
        for length in [0, 1, DISCARD - 1, DISCARD, DISCARD + 1, 3 * DISCARD] {
            both(&bytes, |mut input| {
                let mut next = [0; 2000];
                input.read_exact(&mut next, "it").unwrap();
                input.skip(length as u64, "it").unwrap();
                assert_eq!(input.position(), (next.len() + length) as u64);
                input.read_exact(&mut next, "it").unwrap();
                assert!(next == bytes[2000 + length..][..2000], "{length}");
            });
        }
    }

    #[test]
    fn what_ends_in_a_skip_or_a_read_ends_where_its_bytes_do() {
        let bytes = numbered(DISCARD + 100);
        for length in [DISCARD + 101, 5 * DISCARD] {
            both(&bytes, |mut input| {
                let stop = input.skip(length as u64, "the middle").unwrap_err();
                let Stop::Damaged(finding) = stop else { panic!("{stop:?}") };
                assert_eq!(
                    (finding.byte, finding.what.as_str()),
                    (bytes.len() as u64, "ends early, in the middle")
                );
                assert_eq!(input.read(&mut [0]).unwrap(), 0);
            });
        }
        both(&bytes, |mut input| {
            let stop = input.read_exact(&mut vec![0; bytes.len() + 1], "it").unwrap_err();
            assert!(matches!(stop, Stop::Damaged(finding) if finding.byte == bytes.len() as u64));
        });
    }

    #[test]
    fn the_rest_is_counted_to_its_end_whether_it_is_zero_or_not() {
        for (at, zero) in [(None, true), (Some(7), false), (Some(3 * DISCARD), false)] {
            let mut bytes = vec![0; 4 * DISCARD];
            if let Some(at) = at {
                bytes[at] = 1;
            }
            both(&bytes, |mut input| {
                input.skip(5, "it").unwrap();
                assert_eq!(input.drain().unwrap(), (bytes.len() as u64 - 5, zero), "{at:?}");
            });
        }
    }
}
