//! The content of a compressed archive, in order, while other threads decompress what comes next.

use std::io::{BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use extents::extent::length::in_memory;
use extents::failure::{Failure, Status};
use zstd::stream::read::Decoder;

use crate::zstd::chunk::{Chunk, decompress};
use crate::zstd::frame_feed::FrameFeed;
use crate::zstd::frame_header::{self, MAGIC_LEN};
use crate::zstd::gzip_feed::GzipFeed;
use crate::zstd::in_order::{InOrder, Limit};
use crate::zstd::source::{Source, failure_in};

/// The most threads.
const MAX_JOBS: usize = 8;

/// Bytes on the way for each thread: two frames of 1 MiB that are no smaller than their content.
const BYTES_A_JOB: usize = 4 << 20;

/// Bytes on the way where there are few threads.
const MIN_BYTES: usize = 24 << 20;

/// Bytes that are read at once where only the beginning is wanted.
const PEEKED: usize = 16 << 10;

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Frames; the first one is skippable, or not.
    Zstd {
        /// xapi looks at the first one only, and takes it for gzip.
        skippable_first: bool,
    },
    /// Members.
    Gzip,
}

impl Format {
    /// The command that decompresses a file of it.
    pub(crate) fn reader(self) -> &'static str {
        match self {
            Format::Zstd { .. } => "zstd -dc",
            Format::Gzip => "gzip -dc",
        }
    }
}

/// Bytes by which a format is known.
pub(crate) const KNOWN_BY: usize = MAGIC_LEN;

/// The format of what begins so; none if it is not one of these.
pub(crate) fn format(beginning: &[u8]) -> Option<Format> {
    if beginning.starts_with(&[0x1f, 0x8b]) {
        return Some(Format::Gzip);
    }
    let kind = frame_header::kind(*beginning.first_chunk()?)?;
    Some(Format::Zstd { skippable_first: kind != frame_header::Kind::Frame })
}

/// Fills `into` with the first bytes of the content of the frame that `source` begins with. No more is read of it than that
/// takes: its first block. Status 3 where there are not so many.
pub(crate) fn beginning(source: Source, into: &mut [u8]) -> Result<(), Failure> {
    let input = BufReader::with_capacity(PEEKED, source);
    let decoder = Decoder::with_buffer(input).and_then(|mut decoder| decoder.read_exact(into));
    decoder.map_err(|error| {
        failure_in(&error).unwrap_or_else(|| Failure::damaged(format!("a zstd frame is damaged: {error}")))
    })
}

/// The content of an archive.
#[derive(Debug)]
pub(crate) struct Expanded {
    work: InOrder<Chunk>,
    /// The part at hand, of which so many bytes were given out.
    chunk: Option<(Chunk, usize)>,
    /// What ended it: nothing if it is whole.
    ended: Option<Result<(), Failure>>,
    /// Bytes that a frame should hold which is damaged, if that is what ended it, and if nothing of what is being read came from
    /// frames before.
    left_out: Option<u64>,
    discard: Arc<AtomicBool>,
    /// Bytes of the archive up to the end of the part at hand.
    read: u64,
}

impl Expanded {
    /// Begins to decompress `source`, which begins at byte `position` of the archive.
    pub(crate) fn start(format: Format, source: Source, position: u64) -> Result<Self, Failure> {
        let discard = Arc::new(AtomicBool::new(false));
        let jobs = match format {
            Format::Zstd { .. } => available_parallelism().map_or(2, |count| count.get().min(MAX_JOBS)),
            Format::Gzip => 1,
        };
        let limit = Limit { bytes: MIN_BYTES.max(jobs * BYTES_A_JOB), pieces: 2 * jobs + 2 };
        let workers = (0..jobs).map(|_| decompress()).collect::<Result<Vec<_>, _>>();
        let workers = workers.map_err(|error| Failure::system(format!("cannot decompress: {error}")))?;
        let work = match format {
            Format::Zstd { .. } => {
                let mut feed = FrameFeed::new(source, position, Arc::clone(&discard));
                InOrder::start(move |chunk: &mut Chunk| feed.next(chunk), workers, limit)
            }
            Format::Gzip => {
                let mut feed = GzipFeed::new(source, Arc::clone(&discard));
                InOrder::start(move |chunk: &mut Chunk| feed.next(chunk), workers, limit)
            }
        }?;
        Ok(Expanded { work, chunk: None, ended: None, left_out: None, discard, read: position })
    }

    /// Bytes of the archive that were read for what was given out.
    pub(crate) fn compressed_position(&self) -> u64 {
        self.read
    }

    /// Fills `into` as far as the content goes; yields how many bytes there were.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while filled < into.len() {
            match self.next_bytes((into.len() - filled) as u64) {
                Ok(None) => break,
                Ok(Some(bytes)) => {
                    into[filled..filled + bytes.len()].copy_from_slice(bytes);
                    filled += bytes.len();
                }
                Err(failure) => {
                    self.left_out = self.left_out.filter(|_| filled == 0);
                    return Err(failure);
                }
            }
        }
        Ok(filled)
    }

    /// Goes over so many bytes; yields how many there were.
    pub(crate) fn pass(&mut self, length: u64) -> Result<u64, Failure> {
        let mut passed = 0;
        while passed < length {
            let Some(bytes) = self.next_bytes(length - passed)? else { break };
            passed += bytes.len() as u64;
        }
        Ok(passed)
    }

    /// Goes on after a damaged frame, where what was read last began with it; yields how many bytes of content are left out.
    /// None where nothing can be read any more.
    pub(crate) fn leave_out_damaged(&mut self) -> Option<u64> {
        let left_out = self.left_out.take()?;
        self.ended = None;
        Some(left_out)
    }

    /// Reads the archive to its end without decompressing it: for a writer at the other end of a pipe. Whether what comes is
    /// damaged depends on how far other threads have come, and is not said.
    pub(crate) fn discard(&mut self) -> Result<(), Failure> {
        self.discard.store(true, Ordering::Relaxed);
        match self.pass(u64::MAX) {
            Err(failure) if failure.status() == Status::System => Err(failure),
            _ => Ok(()),
        }
    }

    /// The next bytes, at most `most`; none at the end. A failure is the answer from then on.
    fn next_bytes(&mut self, most: u64) -> Result<Option<&[u8]>, Failure> {
        loop {
            if let Some(end) = &self.ended {
                return end.clone().map(|()| None);
            }
            match self.chunk.take() {
                Some((chunk, given)) if given < chunk.content.len() => {
                    self.chunk = Some((chunk, given));
                    break;
                }
                Some((chunk, _)) => self.work.give_back(chunk),
                None => {}
            }
            match self.work.next() {
                Ok(Some(mut chunk)) => {
                    self.read = chunk.end;
                    match chunk.damage.take() {
                        Some(failure) => {
                            self.left_out = Some(chunk.size as u64);
                            self.ended = Some(Err(failure));
                            self.work.give_back(chunk);
                        }
                        None => self.chunk = Some((chunk, 0)),
                    }
                }
                Ok(None) => self.ended = Some(Ok(())),
                Err(failure) => self.ended = Some(Err(failure)),
            }
        }
        Ok(self.chunk.as_mut().map(|(chunk, given)| {
            let begin = *given;
            *given = chunk.content.len().min(begin + in_memory(most.min(chunk.content.len() as u64)));
            chunk.content.get(begin..*given).unwrap_or_default()
        }))
    }
}
