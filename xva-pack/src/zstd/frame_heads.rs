//! The content of a file of frames, of which no more is decompressed than is asked for: what remains of a frame can be left out.
//!
//! Every frame is looked at, one after the other, and a seek table is compared with all of them, as where they are decompressed.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use extents::extent::length::in_memory;
use extents::failure::Failure;
use zstd::stream::read::Decoder;

use crate::zstd::expand::{Expanded, Format};
use crate::zstd::frame_header::FrameHeader;
use crate::zstd::frame_walk::{At, Bytes, Head, block, cut_off, damaged, head, pass};
use crate::zstd::seek_table::{MAGIC_DIGIT, TableCheck};
use crate::zstd::source::{Source, failure_in, failure_of};

/// The most content of a frame that is read in this way. A block of 1 MiB with its checksum and headers takes half of that.
const MAX_CONTENT: u64 = 2 << 20;

/// The largest window that the library takes without being asked.
const MAX_WINDOW: u64 = 128 << 20;

/// Bytes that are read at once: the beginning of most blocks takes less.
const READ_AT_ONCE: usize = 16 << 10;

/// Content that is gone over at once.
const PASSED_AT_ONCE: usize = 16 << 10;

/// The frames, from the first one on.
#[derive(Debug)]
pub(crate) struct FrameHeads {
    format: Format,
    name: PathBuf,
    file: File,
    /// Byte of the file at which the next frame begins.
    next: u64,
    /// Byte after the last one.
    end: u64,
    /// Byte of the file at which the first one began.
    begun: u64,
    open: Option<Open>,
    /// What a seek table must list.
    check: TableCheck,
    /// What ended it, and whether what was being read began with the frame at hand.
    failed: Option<(Failure, bool)>,
    /// What is decompressed as usual: all from the first frame on of which the beginning cannot be had alone.
    rest: Option<Expanded>,
}

/// The frame at hand.
struct Open {
    /// Byte of the file at which it begins.
    begin: u64,
    decoder: Decoder<'static, BufReader<Source>>,
    /// Bytes of its content, as its header says.
    content: u64,
    /// How many of them were not given out.
    left: u64,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("begin", &self.begin).field("left", &self.left).finish_non_exhaustive()
    }
}

impl FrameHeads {
    /// The frames of `file` from its byte `begun` up to `end`, `end` not included.
    pub(crate) fn new(format: Format, name: PathBuf, file: File, begun: u64, end: u64) -> Self {
        let check = TableCheck::new();
        FrameHeads {
            format,
            name,
            file,
            next: begun,
            end,
            begun,
            open: None,
            check,
            failed: None,
            rest: None,
        }
    }

    /// Bytes of the file that were read or left out.
    pub(crate) fn compressed_position(&self) -> u64 {
        self.rest.as_ref().map_or(self.next - self.begun, Expanded::compressed_position)
    }

    /// Fills `into` as far as the content goes; yields how many bytes there were.
    ///
    /// Status 3 for what is damaged, as far as it is decompressed, and for a seek table that is not that of the frames.
    /// A failure is the answer from then on.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read_some(&mut into[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(failure) => {
                    self.failed = Some((failure.clone(), filled == 0));
                    return Err(failure);
                }
            }
        }
        Ok(filled)
    }

    /// Fills the beginning of `into`, from one frame; yields how many bytes, none at the end.
    fn read_some(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        if let Some((failure, _)) = &self.failed {
            return Err(failure.clone());
        }
        loop {
            if let Some(rest) = &mut self.rest {
                return rest.read(into);
            }
            if let Some(open) = self.open.as_mut().filter(|open| open.left > 0) {
                let count = in_memory(open.left.min(into.len() as u64));
                return open.read(&mut into[..count]).map(|()| count);
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }

    /// Goes over so many bytes; yields how many there were.
    pub(crate) fn pass(&mut self, length: u64) -> Result<u64, Failure> {
        let mut passed = 0;
        let mut unwanted = vec![0; PASSED_AT_ONCE];
        while passed < length {
            if let Some(rest) = &mut self.rest {
                return Ok(passed + rest.pass(length - passed)?);
            }
            let now = in_memory((length - passed).min(PASSED_AT_ONCE as u64));
            let count = self.read(&mut unwanted[..now])?;
            passed += count as u64;
            if count < now {
                break;
            }
        }
        Ok(passed)
    }

    /// Leaves out the rest of the frame at hand if it is just so many bytes; yields whether it was.
    pub(crate) fn leave(&mut self, rest: u64) -> bool {
        self.open.take_if(|open| open.left == rest).is_some()
    }

    /// Goes on after a damaged frame of which nothing could be read; yields how many bytes of content are left out.
    pub(crate) fn leave_out_damaged(&mut self) -> Option<u64> {
        self.failed.as_ref().filter(|(_, began_with_it)| *began_with_it)?;
        let left_out = match &mut self.rest {
            Some(rest) => rest.leave_out_damaged()?,
            None => self.open.take_if(|open| open.left == open.content && open.left > 0)?.left,
        };
        self.failed = None;
        Some(left_out)
    }

    /// Goes on to the next frame; `false` at the end of the file.
    fn advance(&mut self) -> Result<bool, Failure> {
        self.open = None;
        let begin = self.next;
        let mut headers = At::new(&self.file, begin, self.end);
        match head(&mut headers)? {
            None => return Ok(false),
            Some(Head::Skippable(digit, length)) => {
                let content = headers.position();
                pass(&mut headers, length, begin)?;
                self.next = headers.position();
                self.skippable(digit, length, content, begin)?;
            }
            Some(Head::Frame(header)) => {
                let Some(content) = alone(&header) else {
                    let source = Source::file(self.name.clone(), self.descriptor()?, begin);
                    let check = std::mem::replace(&mut self.check, TableCheck::new());
                    let position = begin - self.begun;
                    self.rest = Some(Expanded::start_after(self.format, source, position, check)?);
                    return Ok(true);
                };
                while block(&mut headers, begin, &header)? {}
                self.next = headers.position();
                self.check.frame(self.next - begin, content);
                let source = Source::file(self.name.clone(), self.descriptor()?, begin);
                let input = BufReader::with_capacity(READ_AT_ONCE, source);
                let decoder = Decoder::with_buffer(input).map_err(|error| failure_of(&error))?;
                let mut open = Open { begin, decoder: decoder.single_frame(), content, left: content };
                if content == 0 {
                    open.read(&mut [])?;
                }
                self.open = Some(open);
            }
        }
        Ok(true)
    }

    /// Looks at a skippable frame of `length` bytes from byte `content` of the file on.
    fn skippable(&mut self, digit: u8, length: u64, mut content: u64, begin: u64) -> Result<(), Failure> {
        if digit != MAGIC_DIGIT {
            self.check.skippable(self.next - begin);
            return Ok(());
        }
        let FrameHeads { check, file, name, .. } = self;
        let differs = check.compare(length, |into| {
            let read = file.read_exact_at(into, content);
            content += into.len() as u64;
            read.map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => cut_off(begin),
                _ => Failure::io(name, "cannot read", &error),
            })
        })?;
        differs.map_or(Ok(()), |what| Err(Failure::damaged(format!("at byte {begin}: {what}"))))
    }

    fn descriptor(&self) -> Result<File, Failure> {
        self.file.try_clone().map_err(|error| Failure::io(&self.name, "cannot open again", &error))
    }
}

/// How much a frame holds, if its beginning can be had alone, in little memory.
fn alone(header: &FrameHeader) -> Option<u64> {
    header.content.filter(|size| *size <= MAX_CONTENT && header.window <= MAX_WINDOW)
}

impl Open {
    /// Fills `into`, and makes sure at the end of the frame that it is one.
    fn read(&mut self, into: &mut [u8]) -> Result<(), Failure> {
        let begin = self.begin;
        let failed =
            |error: &io::Error| failure_in(error).unwrap_or_else(|| damaged(begin, &error.to_string()));
        self.decoder.read_exact(into).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged(begin, "it holds less than its header says"),
            _ => failed(&error),
        })?;
        self.left -= into.len() as u64;
        // The checksum of a frame is compared once something is asked for after its content.
        if self.left == 0 && self.decoder.read(&mut [0]).map_err(|error| failed(&error))? > 0 {
            return Err(damaged(begin, "it holds more than its header says"));
        }
        Ok(())
    }
}
