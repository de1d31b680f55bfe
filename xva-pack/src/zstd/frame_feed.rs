//! A stream of zstd frames, cut into pieces of work: small frames whole, to be decompressed by any thread; the content of
//! large ones, and of those that do not say how large they are, decompressed part by part.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use extents::extent::length::in_memory;
use extents::failure::Failure;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use crate::zstd::chunk::{CHUNK, Chunk};
use crate::zstd::frame_header::FrameHeader;
use crate::zstd::frame_walk::{Head, cut_off, damaged, head};
use crate::zstd::gather::{Gather, gather_blocks};
use crate::zstd::seek_table::{MAGIC_DIGIT, TableCheck};
use crate::zstd::source::{Source, failure_of};

/// log2 of the largest window, as `zstd -d` takes it without being asked.
const MAX_WINDOW_BITS: u32 = 27;

/// Bytes of content of the largest frame that is decompressed whole.
const MAX_WHOLE: u64 = 8 << 20;

/// Bytes that a frame may have more than its content.
const MAX_GROWTH: u64 = 64 << 10;

/// Read at once.
const BUFFER: usize = 128 << 10;

/// The frames, from wherever reading began.
pub(crate) struct FrameFeed {
    input: BufReader<Source>,
    /// Byte of the input that comes next.
    position: u64,
    /// The frame whose content comes part by part.
    streamed: Option<Streamed>,
    /// What a seek table must list; none if reading did not begin at the first frame.
    check: Option<TableCheck>,
    /// Nobody wants the content any more, only that the input comes to its end.
    discard: Arc<AtomicBool>,
}

/// A frame that is being decompressed.
struct Streamed {
    context: DCtx<'static>,
    /// Byte at which it begins.
    begin: u64,
    /// What was read of it before, and how much of that was decompressed.
    ahead: Vec<u8>,
    used: usize,
    /// Bytes of content so far.
    content: u64,
}

impl FrameFeed {
    /// The frames of `source`, which begins at byte `position` of the archive.
    pub(crate) fn new(source: Source, position: u64, discard: Arc<AtomicBool>) -> Self {
        let check = (position == 0).then(TableCheck::new);
        let input = BufReader::with_capacity(BUFFER, source);
        FrameFeed { input, position, streamed: None, check, discard }
    }

    /// Fills the next piece; `false` at the end.
    ///
    /// Status 3 for what is damaged or no frame, or a seek table that is not that of the frames; 4 for what needs a dictionary, or
    /// a window of more than 128 MiB.
    pub(crate) fn next(&mut self, chunk: &mut Chunk) -> Result<bool, Failure> {
        loop {
            if self.discard.load(Ordering::Relaxed) {
                io::copy(&mut self.input, &mut io::sink()).map_err(|error| failure_of(&error))?;
                return Ok(false);
            }
            if let Some(streamed) = self.streamed.take() {
                self.stream(streamed, chunk)?;
                return Ok(true);
            }
            let begin = self.position;
            chunk.offset = begin;
            let mut gathered = self.gather(&mut chunk.frame);
            match head(&mut gathered)? {
                None => return Ok(false),
                Some(Head::Skippable(digit, length)) => self.skip(digit, length, begin)?,
                Some(Head::Frame(header)) => {
                    check_window(&header, begin)?;
                    if let Some(size) = header.content.filter(|size| *size <= MAX_WHOLE)
                        && gather_blocks(&mut gathered, begin, &header, 2 * size + MAX_GROWTH)?
                    {
                        chunk.size = in_memory(size);
                        chunk.end = self.position;
                        self.take_note(begin, size);
                        return Ok(true);
                    }
                    self.streamed = Some(Streamed::new(std::mem::take(&mut chunk.frame), begin)?);
                }
            }
            chunk.frame.clear();
        }
    }

    fn gather<'a>(&'a mut self, frame: &'a mut Vec<u8>) -> Gather<'a> {
        Gather { input: &mut self.input, position: &mut self.position, frame }
    }

    /// Takes note of a frame that was read, for the seek table.
    fn take_note(&mut self, begin: u64, content: u64) {
        if let Some(check) = &mut self.check {
            check.frame(self.position - begin, content);
        }
    }

    /// Leaves out the rest of a skippable frame; a seek table is looked at.
    fn skip(&mut self, digit: u8, length: u64, begin: u64) -> Result<(), Failure> {
        let FrameFeed { input, position, check, .. } = self;
        match check {
            Some(check) if digit == MAGIC_DIGIT => {
                let differs = check.compare(length, |into| {
                    *position += into.len() as u64;
                    input.read_exact(into).map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => cut_off(begin),
                        _ => failure_of(&error),
                    })
                })?;
                differs.map_or(Ok(()), |what| Err(Failure::damaged(format!("at byte {begin}: {what}"))))
            }
            _ => {
                let there = io::copy(&mut input.take(length), &mut io::sink());
                let there = there.map_err(|error| failure_of(&error))?;
                *position += there;
                if let Some(check) = check {
                    check.skippable(*position - begin);
                }
                if there == length { Ok(()) } else { Err(cut_off(begin)) }
            }
        }
    }

    /// Decompresses the next part of a frame into `chunk`.
    fn stream(&mut self, mut streamed: Streamed, chunk: &mut Chunk) -> Result<(), Failure> {
        let begin = streamed.begin;
        chunk.content.reserve_exact(CHUNK);
        let mut output = OutBuffer::around(&mut chunk.content);
        let mut ended = false;
        while !ended && output.pos() < CHUNK {
            let from_ahead = streamed.used < streamed.ahead.len();
            let bytes = if from_ahead {
                streamed.ahead.get(streamed.used..).unwrap_or_default()
            } else {
                loop {
                    match self.input.fill_buf() {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        filled => break filled.map(drop).map_err(|error| failure_of(&error))?,
                    }
                }
                self.input.buffer()
            };
            let (at_end, before) = (bytes.is_empty(), output.pos());
            let mut input = InBuffer::around(bytes);
            let left = streamed.context.decompress_stream(&mut output, &mut input);
            let left = left.map_err(|code| damaged(begin, get_error_name(code)))?;
            let used = input.pos();
            if from_ahead {
                streamed.used += used;
            } else {
                self.input.consume(used);
                self.position += used as u64;
            }
            ended = left == 0;
            if !ended && at_end && output.pos() == before {
                return Err(cut_off(begin));
            }
        }
        let length = output.pos();
        streamed.content += length as u64;
        chunk.end = self.position;
        if ended {
            self.take_note(begin, streamed.content);
        } else {
            self.streamed = Some(streamed);
        }
        Ok(())
    }
}

/// Status 4 for a frame that takes more memory than there is.
fn check_window(header: &FrameHeader, begin: u64) -> Result<(), Failure> {
    let most = 1_u64 << MAX_WINDOW_BITS;
    // What is decompressed whole needs no window.
    if header.window <= most || header.content.is_some_and(|size| size <= MAX_WHOLE) {
        return Ok(());
    }
    Err(Failure::unsupported(format!(
        "the zstd frame at byte {begin} needs a window of {} bytes, expected at most {most}; try: zstd -dc --memory={}MB",
        header.window,
        header.window.div_ceil(1 << 20)
    )))
}

impl Streamed {
    /// A frame that begins at byte `begin`, of which `ahead` was read.
    fn new(ahead: Vec<u8>, begin: u64) -> Result<Self, Failure> {
        let mut context = DCtx::try_create().ok_or_else(|| Failure::system("no memory to decompress"))?;
        let limited = context.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_BITS));
        limited.map_err(|code| Failure::system(get_error_name(code)))?;
        Ok(Streamed { context, begin, ahead, used: 0, content: 0 })
    }
}
