//! Reading an archive, whatever form its bytes come in.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use extents::extent::length::in_memory;
use extents::failure::{Failure, Status};
use extents::frame::streams::Waiting;

use crate::unpack::finding::{Finding, Stop};
use crate::unpack::input::{Form, Input};
use crate::unpack::window::{Window, fill};
use crate::zstd::expand::{Expanded, Format, KNOWN_BY, beginning, format};
use crate::zstd::frame_walk::{At, FrameAt};
use crate::zstd::source::Source;

/// Read at once where bytes are thrown away.
const DISCARD: usize = 64 << 10;

impl Input {
    /// In which form the bytes come, by the first of them.
    pub(super) fn look(&mut self) -> Result<Form, Failure> {
        let mut ahead = vec![0; KNOWN_BY];
        let read = match self.file_size {
            Some(_) => fill(|into, filled| self.file.0.read_at(into, self.begun + filled), &mut ahead),
            None => fill(|into, _| self.file.read(into), &mut ahead),
        };
        ahead.truncate(read.map_err(|error| Failure::io(self.name.name(), "cannot read", &error))?);
        Ok(match (format(&ahead), self.file_size) {
            (Some(format), Some(_)) => {
                Form::Expanded(format, Box::new(Expanded::start(format, self.source_at(self.begun)?, 0)?))
            }
            (Some(format), None) => {
                let rest = Waiting(self.descriptor()?);
                let source = Source::pipe(self.name.name().to_path_buf(), ahead, rest);
                Form::Expanded(format, Box::new(Expanded::start(format, source, 0)?))
            }
            (None, Some(_)) => Form::File(Window::default()),
            (None, None) => Form::Pipe { ahead, given: 0 },
        })
    }

    /// The file, from byte `offset` on.
    fn source_at(&self, offset: u64) -> Result<Source, Failure> {
        Ok(Source::file(self.name.name().to_path_buf(), self.descriptor()?, offset))
    }

    fn descriptor(&self) -> Result<File, Failure> {
        self.file.0.try_clone().map_err(|error| Failure::io(self.name.name(), "cannot open again", &error))
    }

    /// The frames of a file that is compressed with zstd, from its beginning.
    pub(crate) fn frames(&self) -> Option<At<'_>> {
        let size = self.file_size.filter(|_| matches!(self.form, Form::Expanded(Format::Zstd { .. }, _)))?;
        Some(At::new(&self.file.0, self.begun, self.begun + size))
    }

    /// Fills `into` with the bytes of the file from its byte `offset` on. Status 3 where there are not so many.
    pub(crate) fn read_at(&self, into: &mut [u8], offset: u64) -> Result<(), Failure> {
        self.file.0.read_exact_at(into, offset).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Failure::damaged(format!("ends early, at byte {offset}")),
            _ => Failure::io(self.name.name(), &format!("cannot read at byte {offset}"), &error),
        })
    }

    /// The first bytes of the content of a frame, as many as `into` has. Status 3 for a frame with less of it.
    pub(crate) fn peek(&self, frame: FrameAt, into: &mut [u8]) -> Result<(), Failure> {
        beginning(self.source_at(frame.offset)?, into)
    }

    /// Goes on with the content of a frame, which begins at byte `position` of the archive.
    pub(crate) fn go_to(&mut self, frame: FrameAt, position: u64) -> Result<(), Failure> {
        let format = Format::Zstd { skippable_first: self.looks_like_gzip() };
        let source = self.source_at(frame.offset)?;
        let expanded = Expanded::start(format, source, frame.offset - self.begun)?;
        self.form = Form::Expanded(format, Box::new(expanded));
        self.position = position;
        Ok(())
    }

    /// Goes on after a damaged frame, if what could not be read last began with it; yields whether that was so.
    pub(crate) fn leave_out_damaged_frame(&mut self) -> bool {
        let left_out = match &mut self.form {
            Form::Expanded(_, expanded) => expanded.leave_out_damaged(),
            Form::File(_) | Form::Pipe { .. } => None,
        };
        self.position = self.position.saturating_add(left_out.unwrap_or_default());
        left_out.is_some()
    }

    /// Fills `buffer` as far as the input goes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        let position = self.position;
        let read = match &mut self.form {
            Form::Expanded(_, expanded) => expanded.read(buffer).map_err(|failure| stop(position, failure)),
            Form::File(window) => {
                let read = window.read(&self.file.0, buffer, self.begun + position);
                read.map_err(|error| self.failed(&error))
            }
            Form::Pipe { ahead, given } => {
                let begun = &ahead[*given..];
                let filled = begun.len().min(buffer.len());
                buffer[..filled].copy_from_slice(&begun[..filled]);
                *given += filled;
                let read = fill(|into, _| self.file.read(into), &mut buffer[filled..]);
                read.map(|count| filled + count).map_err(|error| self.failed(&error))
            }
        };
        read.inspect(|count| self.position += *count as u64)
    }

    /// Fills all of `buffer`; `what` names the structure.
    pub(crate) fn read_exact(&mut self, buffer: &mut [u8], what: impl Display) -> Result<(), Stop> {
        if self.read(buffer)? == buffer.len() {
            return Ok(());
        }
        Err(self.ended_in(what).into())
    }

    /// Leaves out `length` bytes, which must be there.
    pub(crate) fn skip(&mut self, length: u64, what: impl Display) -> Result<(), Stop> {
        let position = self.position;
        let passed = match &mut self.form {
            Form::Expanded(_, expanded) => {
                expanded.pass(length).map_err(|failure| stop(position, failure))?
            }
            Form::File(_) => length.min(self.file_size.unwrap_or_default().saturating_sub(position)),
            Form::Pipe { .. } => return self.read_over(length, what),
        };
        self.position += passed;
        if passed == length { Ok(()) } else { Err(self.ended_in(what).into()) }
    }

    fn read_over(&mut self, length: u64, what: impl Display) -> Result<(), Stop> {
        let mut buffer = vec![0; DISCARD];
        let mut left = length;
        while left > 0 {
            let now = left.min(DISCARD as u64);
            self.read_exact(&mut buffer[..in_memory(now)], &what)?;
            left -= now;
        }
        Ok(())
    }

    /// Lets a writer at the other end of a pipe come to its end; what it writes is not looked at.
    pub(crate) fn let_writer_finish(&mut self) -> Result<(), Stop> {
        if self.file_size.is_some() {
            return Ok(());
        }
        if let Form::Expanded(_, expanded) = &mut self.form {
            return expanded.discard().map_err(Stop::Failed);
        }
        let mut buffer = vec![0; DISCARD];
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Stop {
        Stop::Failed(Failure::io(self.name.name(), &format!("cannot read at byte {}", self.position), error))
    }

    fn ended_in(&self, what: impl Display) -> Finding {
        Finding::damage_at(self.position, format!("ends early, in {what}"))
    }
}

/// What follows from a failure to decompress: damage is a finding about the archive.
fn stop(position: u64, failure: Failure) -> Stop {
    match failure.status() {
        Status::Damaged => Finding::damage_at(position, failure.to_string()).into(),
        Status::Unsupported => Stop::Refused(failure),
        _ => Stop::Failed(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extents::frame::input::InputName;
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
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Whoever has seen enough closes the pipe.
                let _ = writer.write_all(bytes);
            });
            // It waits for the first bytes.
            let input = Input::open(&InputName::File(path)).unwrap();
            drop(reader);
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
}
