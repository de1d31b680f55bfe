//! A gzip stream, member after member, decompressed part by part.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use extents::failure::Failure;
use flate2::bufread::GzDecoder;

use crate::zstd::chunk::{CHUNK, Chunk};
use crate::zstd::source::{Source, failure_in, failure_of};

/// Read at once.
const BUFFER: usize = 128 << 10;

/// The members of a gzip stream.
pub(crate) struct GzipFeed {
    /// None after the last one.
    decoder: Option<GzDecoder<BufReader<Counted>>>,
    /// Nobody wants the content any more, only that the input comes to its end.
    discard: Arc<AtomicBool>,
}

/// A source, and how many bytes of it were read.
struct Counted(Source, u64);

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).inspect(|count| self.1 += *count as u64)
    }
}

impl GzipFeed {
    /// The members of `source`.
    pub(crate) fn new(source: Source, discard: Arc<AtomicBool>) -> Self {
        let input = BufReader::with_capacity(BUFFER, Counted(source, 0));
        GzipFeed { decoder: Some(GzDecoder::new(input)), discard }
    }

    /// Fills the next part; `false` at the end. Status 3 for what is damaged, or follows the last member and is not zero.
    pub(crate) fn next(&mut self, chunk: &mut Chunk) -> Result<bool, Failure> {
        while let Some(mut decoder) = self.decoder.take() {
            if self.discard.load(Ordering::Relaxed) {
                io::copy(decoder.get_mut(), &mut io::sink()).map_err(|error| failure_of(&error))?;
                return Ok(false);
            }
            let read = (&mut decoder).take(CHUNK as u64).read_to_end(&mut chunk.content);
            let position = position(decoder.get_ref());
            chunk.end = position;
            match read {
                Err(error) => return Err(failure(&error, position)),
                Ok(0) => self.decoder = next_member(decoder.into_inner())?,
                Ok(_) => {
                    self.decoder = Some(decoder);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// The member that follows one that has ended, if there is one.
fn next_member(mut input: BufReader<Counted>) -> Result<Option<GzDecoder<BufReader<Counted>>>, Failure> {
    let end = position(&input);
    let first = input.fill_buf().map_err(|error| failure_of(&error))?.first().copied();
    if first.is_some_and(|byte| byte != 0) {
        return Ok(Some(GzDecoder::new(input)));
    }
    // gzip itself ignores zeros there, which a tape is filled up with.
    loop {
        let bytes = input.fill_buf().map_err(|error| failure_of(&error))?;
        if bytes.iter().any(|&byte| byte != 0) {
            return Err(Failure::damaged(format!(
                "bytes that are not zero follow the end of the gzip stream at byte {end}"
            )));
        }
        let count = bytes.len();
        if count == 0 {
            return Ok(None);
        }
        input.consume(count);
    }
}

/// Byte of the archive that comes next.
fn position(input: &BufReader<Counted>) -> u64 {
    input.get_ref().1 - input.buffer().len() as u64
}

fn failure(error: &io::Error, position: u64) -> Failure {
    failure_in(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Failure::damaged(format!("ends early, inside the gzip stream, at byte {position}"))
        }
        _ => Failure::damaged(format!("the gzip stream is damaged before byte {position}: {error}")),
    })
}
