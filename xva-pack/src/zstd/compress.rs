//! The work of `xva-zstd`: an archive in, the same archive in frames out, on all processors.

use std::io::{Read, Write};

use extents::failure::Failure;
use extents::frame::input::InputName;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::host::progress::Progress;
use crate::zstd::frame_output::FrameOutput;
use crate::zstd::in_order::{InOrder, Limit, Piece};
use crate::zstd::tar_cut::TarCut;

/// The levels that there are; what is above needs more memory than a host has to spare.
pub const LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

/// The level of `zstd` itself.
pub const DEFAULT_LEVEL: i32 = 3;

/// The most threads.
const MAX_JOBS: usize = 64;

/// Bytes of a block, and of what it becomes.
const BYTES_A_PIECE: usize = 5 << 19;

/// Pieces that may wait for the output beside those of the threads: while all processors compress, it comes late to its turn.
const SPARE_PIECES: usize = 4;

/// Pieces up to which each thread has two. More take more than 64 MiB where 16 threads wait for the output: measured 58 with 20
/// pieces, 91 with 36.
const PIECES_IN_PAIRS: usize = 20;

/// Memory that a piece keeps for the next one: a block of 1 MiB with its headers, or a frame of it.
const KEPT: usize = (1 << 20) + (16 << 10);

/// How to compress.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// One of [`LEVELS`].
    pub level: i32,
    /// Threads; at most 64 are started.
    pub jobs: usize,
}

/// What was read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames of content.
    pub frames: u64,
    /// Bytes of the archive.
    pub read: u64,
    /// Bytes of the frames and the seek table.
    pub written: u64,
}

/// A piece of the archive, and the frame that it becomes.
#[derive(Default)]
struct Framed {
    content: Vec<u8>,
    frame: Vec<u8>,
    /// No piece comes after it.
    last: bool,
    /// Bytes of the archive up to its end.
    position: u64,
}

impl Piece for Framed {
    fn bytes(&self) -> usize {
        self.content.len() + compress_bound(self.content.len())
    }

    fn clear(&mut self) {
        for memory in [&mut self.content, &mut self.frame] {
            memory.clear();
            memory.shrink_to(KEPT);
        }
    }
}

/// Compresses the archive `input`, of `size` bytes if that is known, to `out`. `name` is what the user calls it.
///
/// After a failure `out` ends inside a frame, or is empty. Status 3 for what is not an XVA or ends early, 4 for what is compressed
/// already; if the filter before failed, its status.
pub fn compress(
    input: impl Read + Send + 'static,
    name: &InputName,
    size: Option<u64>,
    settings: Settings,
    progress: &mut Progress,
    out: impl Write,
) -> Result<Counts, Failure> {
    let mut cut = TarCut::new(input, name.clone());
    let name = name.name().to_path_buf();
    let feed = move |piece: &mut Framed| {
        let more = cut.next_piece(&mut piece.content).map_err(|failure| failure.in_file(&name))?;
        (piece.last, piece.position) = (cut.is_done(), cut.position());
        Ok(more)
    };
    let jobs = settings.jobs.clamp(1, MAX_JOBS);
    let workers = (0..jobs).map(|_| worker(settings.level)).collect::<Result<Vec<_>, _>>()?;
    let pieces = (2 * jobs + SPARE_PIECES).min(PIECES_IN_PAIRS.max(jobs + SPARE_PIECES));
    let limit = Limit { bytes: pieces * BYTES_A_PIECE, pieces };
    let mut work = InOrder::start(feed, workers, limit)?;
    let mut output = FrameOutput::new(out);
    let mut counts = Counts::default();
    while let Some(mut piece) = work.next()? {
        output.put(&mut piece.frame, piece.content.len(), piece.last)?;
        counts.frames += 1;
        counts.read = piece.position;
        progress.set(piece.position, size);
        work.give_back(piece);
    }
    counts.written = output.finish()?;
    progress.finish();
    Ok(counts)
}

/// Makes a frame of one piece after the other. The context is used again, which changes nothing in what comes out.
fn worker(level: i32) -> Result<impl FnMut(&mut Framed) -> Result<(), Failure> + Send + 'static, Failure> {
    let failed = |error: std::io::Error| Failure::system(format!("cannot compress: {error}"));
    let mut compressor = Compressor::new(level).map_err(failed)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true)).map_err(failed)?;
    match level {
        // The library's own is 16. Measured on /usr/lib and on a database: 3 to 5 % less time for 0.2 and 1.2 % more bytes.
        3 => compressor.set_parameter(CParameter::ChainLog(15)).map_err(failed)?,
        // The library's own is 4. Measured on /usr/lib: what frames cost in size is 4.3 % instead of 4.5.
        9 => compressor.set_parameter(CParameter::SearchLog(5)).map_err(failed)?,
        _ => {}
    }
    Ok(move |piece: &mut Framed| {
        // Room for the beginning of the next frame, too.
        piece.frame.reserve_exact(compress_bound(piece.content.len()) + 4);
        compressor.compress_to_buffer(&piece.content[..], &mut piece.frame).map(drop).map_err(failed)
    })
}
