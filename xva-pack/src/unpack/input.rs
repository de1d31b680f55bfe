//! The bytes of an archive from a file or a pipe, in one direction, with their position. What is compressed with zstd or gzip is
//! read as if it were not.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use extents::extent::length::in_memory;
use extents::failure::{Failure, Status};
use extents::frame::input::InputName;
use extents::frame::streams::Waiting;
use extents::image::identity::Identity;

use crate::host::pipe;
use crate::unpack::finding::{Finding, Stop};
use crate::zstd::expand::{Expanded, Format, KNOWN_BY, beginning, format};
use crate::zstd::frame_walk::{At, FrameAt};
use crate::zstd::source::Source;

/// Read at once where bytes are thrown away.
const DISCARD: usize = 64 << 10;

/// The most bytes that may follow a compressed archive inside the compression: a few of them can say many.
const MAX_REST: u64 = 64 << 20;

/// How the bytes of an archive come.
#[derive(Debug)]
enum Form {
    /// Nothing was read yet.
    Unknown,
    /// As they are; of a pipe so many were read to see that, of which the first were given out.
    Plain { ahead: Vec<u8>, given: usize },
    /// Compressed.
    Expanded(Format, Box<Expanded>),
}

/// An archive being read.
#[derive(Debug)]
pub struct Input {
    file: Waiting<File>,
    name: InputName,
    /// Offset in the file at which reading began; 0 for what is no regular file.
    begun: u64,
    /// Bytes of the archive, not as it is compressed.
    position: u64,
    /// Bytes from where reading began to the end, if the file is a regular one; as it is compressed.
    size: Option<u64>,
    form: Form,
}

impl Input {
    /// Opens what the user named.
    pub fn open(name: &InputName) -> Result<Self, Failure> {
        let file = name.open("an archive")?;
        let metadata = file.0.metadata().map_err(|e| Failure::io(name.name(), "cannot stat", &e))?;
        // Measured, 1 GiB through `cat` into --verify: 0.40 s instead of 0.48.
        pipe::enlarge(&file);
        let mut input =
            Input { file, name: name.clone(), begun: 0, position: 0, size: None, form: Form::Unknown };
        if metadata.is_file() {
            // It may be passed as standard input when part of it was read already.
            let begun = input.file.0.stream_position();
            input.begun = begun.map_err(|e| Failure::io(name.name(), "cannot seek", &e))?;
            input.size = Some(metadata.len().saturating_sub(input.begun));
        }
        Ok(input)
    }

    /// Whether `path` leads to the file or device that is read.
    pub fn is(&self, path: &Path) -> bool {
        match (self.file.0.metadata(), std::fs::metadata(path)) {
            (Ok(this), Ok(other)) => Identity::of(&this) == Identity::of(&other),
            _ => false,
        }
    }

    /// What the user called it.
    pub(crate) fn name(&self) -> &InputName {
        &self.name
    }

    /// Bytes read or skipped so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether what is not read is waited for by a writer at the other end.
    pub(crate) fn is_pipe(&self) -> bool {
        self.size.is_none()
    }

    /// How many bytes of a regular file were read, and of how many.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        let done = match &self.form {
            Form::Expanded(_, expanded) => expanded.compressed_position(),
            _ => self.position,
        };
        self.size.map(|size| (done, size))
    }

    /// Whether xapi would take what is compressed with zstd for gzip.
    pub(crate) fn looks_like_gzip(&self) -> bool {
        matches!(self.form, Form::Expanded(Format::Zstd { skippable_first: true }, _))
    }

    /// Looks at the first bytes, once.
    fn begin(&mut self) -> Result<(), Failure> {
        if !matches!(self.form, Form::Unknown) {
            return Ok(());
        }
        let mut ahead = vec![0; KNOWN_BY];
        let mut filled = 0;
        while let Some(into) = ahead.get_mut(filled..).filter(|into| !into.is_empty()) {
            let read = match self.size {
                Some(_) => self.file.0.read_at(into, self.begun + filled as u64),
                None => self.file.read(into),
            };
            match read {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::io(self.name.name(), "cannot read", &error)),
            }
        }
        ahead.truncate(filled);
        self.form = match format(&ahead) {
            Some(format) => {
                let source = match self.size {
                    Some(_) => self.source_at(self.begun)?,
                    None => Source::pipe(self.name.name().to_path_buf(), ahead, Waiting(self.descriptor()?)),
                };
                Form::Expanded(format, Box::new(Expanded::start(format, source, 0)?))
            }
            None if self.size.is_some() => Form::Plain { ahead: Vec::new(), given: 0 },
            None => Form::Plain { ahead, given: 0 },
        };
        Ok(())
    }

    /// The regular file, from byte `offset` on.
    fn source_at(&self, offset: u64) -> Result<Source, Failure> {
        Ok(Source::file(self.name.name().to_path_buf(), self.descriptor()?, offset))
    }

    fn descriptor(&self) -> Result<File, Failure> {
        self.file.0.try_clone().map_err(|error| Failure::io(self.name.name(), "cannot open again", &error))
    }

    /// The frames of a regular file that is compressed with zstd, from its beginning.
    pub(crate) fn frames(&self) -> Option<At<'_>> {
        let size = self.size.filter(|_| matches!(self.form, Form::Expanded(Format::Zstd { .. }, _)))?;
        Some(At::new(&self.file.0, self.begun, self.begun + size))
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

    /// Fills `buffer` as far as the input goes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        self.begin()?;
        let read = match &mut self.form {
            Form::Expanded(_, expanded) => expanded.read(buffer),
            Form::Plain { ahead, given } => {
                let begun = &ahead[*given..];
                let filled = begun.len().min(buffer.len());
                buffer[..filled].copy_from_slice(&begun[..filled]);
                *given += filled;
                self.read_plain(buffer, filled)
            }
            Form::Unknown => Ok(0),
        };
        let count = read.map_err(|failure| self.stop(failure))?;
        self.position += count as u64;
        Ok(count)
    }

    /// Fills `buffer`, of which the first bytes are `filled`.
    fn read_plain(&mut self, buffer: &mut [u8], mut filled: usize) -> Result<usize, Failure> {
        while filled < buffer.len() {
            match self.file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => {
                    let what = format!("cannot read at byte {}", self.position + filled as u64);
                    return Err(Failure::io(self.name.name(), &what, &error));
                }
            }
        }
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
        self.begin()?;
        if let Form::Expanded(_, expanded) = &mut self.form {
            let passed = expanded.pass(length);
            let (passed, _) = passed.map_err(|failure| self.stop(failure))?;
            self.position += passed;
            return if passed == length { Ok(()) } else { Err(self.ended_in(what).into()) };
        }
        if let Some(size) = self.size {
            if length > size.saturating_sub(self.position) {
                self.position = size;
                return Err(self.ended_in(what).into());
            }
            if length >= DISCARD as u64 {
                let target = SeekFrom::Start(self.begun + self.position + length);
                self.file.0.seek(target).map_err(|e| Failure::io(self.name.name(), "cannot seek", &e))?;
                self.position += length;
                return Ok(());
            }
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
    /// whether all of them are zero. A regular file is not read further than the first that is not, unless it is compressed.
    pub(crate) fn drain(&mut self) -> Result<(u64, bool), Stop> {
        self.begin()?;
        if let Form::Expanded(_, expanded) = &mut self.form {
            let passed = expanded.pass(MAX_REST + 1);
            let (passed, zero) = passed.map_err(|failure| self.stop(failure))?;
            self.position += passed;
            if passed > MAX_REST {
                let what = format!("goes on after its end: found more than {MAX_REST} bytes");
                return Err(Finding::damage_at(self.position, what).into());
            }
            return Ok((passed, zero));
        }
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

    /// Lets a writer at the other end of a pipe come to its end; what it writes is not looked at.
    pub(crate) fn let_writer_finish(&mut self) -> Result<(), Stop> {
        let is_pipe = self.is_pipe();
        match &mut self.form {
            _ if !is_pipe => Ok(()),
            Form::Expanded(_, expanded) => Ok(expanded.discard()?),
            _ => self.drain().map(drop),
        }
    }

    /// What follows from a failure to read: damage inside the compression is a finding about the archive.
    fn stop(&self, failure: Failure) -> Stop {
        match failure.status() {
            Status::Damaged => Finding::damage_at(self.position, failure.to_string()).into(),
            Status::Unsupported => Stop::Refused(failure),
            _ => Stop::Failed(failure),
        }
    }

    fn ended_in(&self, what: &str) -> Finding {
        Finding::damage_at(self.position, format!("ends early, in {what}"))
    }
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
        let (reader, mut writer) = std::io::pipe().unwrap();
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

    #[test]
    fn a_file_is_the_input_by_each_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, other] = ["file", "link", "other"].map(|name| folder.path().join(name));
        std::fs::write(&file, "x").unwrap();
        std::fs::hard_link(&file, &link).unwrap();
        std::fs::write(&other, "x").unwrap();
        let input = Input::open(&InputName::File(file)).unwrap();
        assert!(input.is(&link) && !input.is(&other) && !input.is(Path::new("/nowhere")));
    }
}
