//! In which zstd frames of a compressed archive its blocks are: found by the headers of frames and never by a seek table, so that
//! a table that lies leads nowhere.

use std::path::{Path, PathBuf};

use extents::extent::stored::{CompressedCluster, Compression, Stored};
use extents::failure::{Failure, Status};
use extents::image::file::ImageFile;
use extents::image::magic::{self, Kind};
use extents::image::shell_word::shell_word;

use crate::zstd::expand::{Format, KNOWN_BY, format};
use crate::zstd::frame_walk::{At, Bytes};

/// The most content of a frame of which one block is read: whoever follows a map holds all of it. A block of 1 MiB with its
/// checksum and headers takes half of that.
const MAX_CONTENT: u64 = 2 << 20;

/// The frames of an archive in order, of which one is at hand.
#[derive(Debug)]
pub struct Frames<'a> {
    archive: PathBuf,
    headers: At<'a>,
    frame: Frame,
}

/// A frame.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    /// Byte of the file at which it begins.
    offset: u64,
    /// Bytes in the file.
    stored: u64,
    /// Byte of the archive, as it is decompressed, at which its content begins.
    begins: u64,
    /// Bytes of its content.
    content: u64,
}

impl<'a> Frames<'a> {
    /// Those of the archive in `image`; none if it is not compressed.
    ///
    /// Status 4 where blocks cannot be found without decompressing all that comes before them, with the command that helps: what
    /// is compressed in one piece, or with another program than zstd.
    pub fn of_image(image: &'a ImageFile) -> Result<Option<Self>, Failure> {
        let mut beginning = [0; KNOWN_BY];
        if !image.contains(0, KNOWN_BY as u64) {
            return Ok(None);
        }
        image.read_exact_at(&mut beginning, 0, "the first bytes")?;
        match format(&beginning) {
            None => match magic::formats_of_file(image)?[..] {
                [magic::Format { id, kind: Kind::Compressed, reader: Some(reader), .. }, ..] => {
                    Err(in_one_piece(image.path(), &format!("is compressed with {id}"), reader))
                }
                _ => Ok(None),
            },
            Some(format @ Format::Gzip) => {
                Err(in_one_piece(image.path(), "is compressed with gzip", format.reader()))
            }
            Some(Format::Zstd { .. }) => {
                let headers = At::new(image.as_file(), 0, image.size());
                let archive = image.path().to_path_buf();
                let mut frames = Frames { archive, headers, frame: Frame::default() };
                match frames.go_to(0) {
                    // Whoever reads the archive says how damaged it is.
                    Err(failure) if failure.status() != Status::Damaged => Err(failure),
                    _ => Ok(Some(frames)),
                }
            }
        }
    }

    /// Where bytes `byte` to `byte + length` of the archive are, not less than those asked for before.
    ///
    /// Status 4 if they are not in one frame, or in one that is too large.
    pub(crate) fn locate(&mut self, byte: u64, length: u64) -> Result<Stored, Failure> {
        self.go_to(byte)?;
        let Frame { offset, stored, begins, content } = self.frame;
        let skip = byte.saturating_sub(begins);
        if skip.checked_add(length).is_none_or(|end| end > content) {
            let what = format!(
                "is compressed with zstd in frames that part its blocks, as at byte {byte} of the tar"
            );
            return Err(in_one_piece(&self.archive, &what, "zstd -dc"));
        }
        let cluster_size = u32::try_from(content)
            .map_err(|_| Failure::unsupported("a zstd frame is too large").in_file(&self.archive))?;
        Ok(Stored::Compressed(CompressedCluster {
            offset,
            host_length: stored,
            cluster_size,
            skip,
            compression: Compression::Zstd,
        }))
    }

    /// Goes on to the frame that has byte `byte` of the archive in it.
    fn go_to(&mut self, byte: u64) -> Result<(), Failure> {
        loop {
            let Frame { offset, stored, begins, content } = self.frame;
            let end = begins.saturating_add(content);
            if byte < end {
                break;
            }
            let next = self.headers.next_frame().map_err(|failure| match failure.status() {
                Status::Unsupported => {
                    in_one_piece(&self.archive, "is compressed with zstd in one piece", "zstd -dc")
                }
                _ => failure.in_file(&self.archive),
            })?;
            let Some(frame) = next else {
                let at = offset.saturating_add(stored);
                let what = format!("ends early, at byte {at}: expected a zstd frame");
                return Err(Failure::damaged(what).in_file(&self.archive));
            };
            let stored = self.headers.position().saturating_sub(frame.offset);
            self.frame = Frame { offset: frame.offset, stored, begins: end, content: frame.content };
        }
        if self.frame.content > MAX_CONTENT {
            return Err(in_one_piece(&self.archive, "is compressed with zstd in large pieces", "zstd -dc"));
        }
        Ok(())
    }
}

/// Status 4, with the command that makes the blocks of `archive` readable: `program` decompresses it.
fn in_one_piece(archive: &Path, what: &str, program: &str) -> Failure {
    Failure::unsupported(format!(
        "{what}: its blocks cannot be found without decompressing all: expected a tar, or a frame for each block; try: \
         {program} {} | xva-zstd > FRAMES.xva.zst",
        shell_word(archive)
    ))
    .in_file(archive)
}
