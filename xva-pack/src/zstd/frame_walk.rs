//! From frame to frame: where one ends is found by the headers of its blocks, with nothing decompressed.
//!
//! The bytes come from a [`Bytes`]: from a file by position, [`At`], which reads the headers alone, or from whatever gathers
//! them on the way.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use extents::extent::length::in_memory;
use extents::failure::Failure;

use crate::zstd::frame_header::{
    BLOCK_HEADER, CHECKSUM, FrameHeader, Kind, MAGIC_LEN, MAX_HEADER, header_len, kind, parse, parse_block,
};

/// The bytes of a compressed archive, in order.
pub(crate) trait Bytes {
    /// Fills `into` as far as the archive goes; yields how many bytes there were.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure>;
    /// Goes over so many bytes; yields how many there were.
    fn pass(&mut self, length: u64) -> Result<u64, Failure>;
    /// Byte of the archive that comes next.
    fn position(&self) -> u64;
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A frame of content; its blocks come next.
    Frame(FrameHeader),
    /// A skippable frame: the last digit of its magic, and how many bytes come next.
    Skippable(u8, u64),
}

/// Reads what the next frame begins with; none at the end of the archive.
///
/// Status 3 for what is no frame, 4 for a frame that needs a dictionary.
pub(crate) fn head(bytes: &mut impl Bytes) -> Result<Option<Head>, Failure> {
    let begin = bytes.position();
    let mut magic = [0; MAGIC_LEN];
    match bytes.read(&mut magic)? {
        0 => return Ok(None),
        MAGIC_LEN => {}
        count => return Err(not_a_frame(begin, magic.get(..count).unwrap_or_default())),
    }
    match kind(magic) {
        None => Err(not_a_frame(begin, &magic)),
        Some(Kind::Skippable(digit)) => {
            let mut length = [0; 4];
            exact(bytes, &mut length, begin)?;
            Ok(Some(Head::Skippable(digit, u64::from(u32::from_le_bytes(length)))))
        }
        Some(Kind::Frame) => {
            let mut header = [0; MAX_HEADER];
            exact(bytes, &mut header[..1], begin)?;
            let length = header_len(header[0]);
            exact(bytes, &mut header[1..length], begin)?;
            let header = parse(&header[..length]).map_err(|what| damaged(begin, &what))?;
            if header.dictionary {
                let what = format!("the zstd frame at byte {begin} cannot be read without its dictionary");
                return Err(Failure::unsupported(what));
            }
            Ok(Some(Head::Frame(header)))
        }
    }
}

/// Goes over the next block of the frame that begins at `begin` and has this header; yields whether others follow. After the
/// last one its checksum is passed over too.
pub(crate) fn block(bytes: &mut impl Bytes, begin: u64, header: &FrameHeader) -> Result<bool, Failure> {
    let mut block = [0; BLOCK_HEADER];
    exact(bytes, &mut block, begin)?;
    let block = parse_block(block, header.window).map_err(|what| damaged(begin, &what))?;
    let checksum = if block.last && header.checksum { CHECKSUM } else { 0 };
    pass(bytes, block.stored + checksum, begin)?;
    Ok(!block.last)
}

/// Goes over `length` bytes of the frame that begins at `begin`.
pub(crate) fn pass(bytes: &mut impl Bytes, length: u64, begin: u64) -> Result<(), Failure> {
    if bytes.pass(length)? == length { Ok(()) } else { Err(cut_off(begin)) }
}

/// Fills `into` with bytes of the frame that begins at `begin`.
fn exact(bytes: &mut impl Bytes, into: &mut [u8], begin: u64) -> Result<(), Failure> {
    if bytes.read(into)? == into.len() { Ok(()) } else { Err(cut_off(begin)) }
}

/// Status 3: an archive ends inside the frame that begins at byte `begin`.
pub(crate) fn cut_off(begin: u64) -> Failure {
    Failure::damaged(format!("ends early, inside the zstd frame at byte {begin}"))
}

/// Status 3: the frame that begins at byte `begin` is damaged.
pub(crate) fn damaged(begin: u64, what: &str) -> Failure {
    Failure::damaged(format!("the zstd frame at byte {begin} is damaged: {what}"))
}

fn not_a_frame(begin: u64, found: &[u8]) -> Failure {
    let found = found.escape_ascii();
    Failure::damaged(format!("found \"{found}\" at byte {begin}, expected a zstd frame or the end"))
}

/// Where a frame is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameAt {
    /// Byte of the file at which it begins.
    pub(crate) offset: u64,
    /// Bytes of its content, as its header says; none in a skippable frame.
    pub(crate) content: u64,
}

/// A file, of which only headers are read, by position.
#[derive(Debug)]
pub(crate) struct At<'a> {
    file: &'a File,
    /// Byte of the file that comes next.
    offset: u64,
    /// Byte after the last one.
    end: u64,
    /// What was read around the last header, and where.
    known_bytes: [u8; AHEAD],
    known_from: u64,
    known: usize,
}

/// Read at once: a frame header with that of its first block.
const AHEAD: usize = 32;

impl<'a> At<'a> {
    /// The bytes `offset` to `end` of a file, `end` not included.
    pub(crate) fn new(file: &'a File, offset: u64, end: u64) -> Self {
        At { file, offset, end, known_bytes: [0; AHEAD], known_from: 0, known: 0 }
    }

    /// Goes over the next frame; none at the end of the file. Status 4 where its header does not say how much it holds.
    pub(crate) fn next_frame(&mut self) -> Result<Option<FrameAt>, Failure> {
        let offset = self.offset;
        let content = match head(self)? {
            None => return Ok(None),
            Some(Head::Skippable(_, length)) => {
                pass(self, length, offset)?;
                0
            }
            Some(Head::Frame(header)) => {
                while block(self, offset, &header)? {}
                header.content.ok_or_else(|| {
                    Failure::unsupported(format!(
                        "the zstd frame at byte {offset} does not say how much it holds"
                    ))
                })?
            }
        };
        Ok(Some(FrameAt { offset, content }))
    }
}

impl Bytes for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        let there = in_memory(self.end.saturating_sub(self.offset).min(into.len() as u64));
        let known = self.known_from..self.known_from + self.known as u64;
        if self.offset < known.start || self.offset + there as u64 > known.end {
            let wanted = in_memory(self.end.saturating_sub(self.offset).min(AHEAD as u64));
            let read = self.file.read_exact_at(&mut self.known_bytes[..wanted], self.offset);
            read.map_err(|error| match error.kind() {
                // It was longer a moment ago.
                ErrorKind::UnexpectedEof => {
                    Failure::damaged(format!("ends early, after byte {}", self.offset))
                }
                _ => Failure::system(format!("cannot read at byte {}: {error}", self.offset)),
            })?;
            (self.known_from, self.known) = (self.offset, wanted);
        }
        let from = in_memory(self.offset - self.known_from);
        into[..there].copy_from_slice(&self.known_bytes[from..from + there]);
        self.offset += there as u64;
        Ok(there)
    }

    fn pass(&mut self, length: u64) -> Result<u64, Failure> {
        let there = length.min(self.end.saturating_sub(self.offset));
        self.offset += there;
        Ok(there)
    }

    fn position(&self) -> u64 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Result<Vec<(u64, u64)>, Failure> {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        let mut at = At::new(&file, 0, bytes.len() as u64);
        let mut found = Vec::new();
        while let Some(frame) = at.next_frame()? {
            found.push((frame.offset, frame.content));
        }
        Ok(found)
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(length)
        .collect()
    }

    #[test]
    fn every_frame_is_found_and_no_end_but_that_of_a_frame_is_one() {
        let contents = [vec![], vec![1], vec![0; 1 << 20], noise(300_000), b"abc".repeat(100_000)];
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for content in &contents {
            expected.push((bytes.len() as u64, content.len() as u64));
            bytes.extend(zstd::bulk::compress(content, 3).unwrap());
            expected.push((bytes.len() as u64, 0));
            bytes.extend([0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);
        }
        assert_eq!(frames(&bytes).unwrap(), expected);
        let ends: Vec<u64> = expected.iter().map(|(offset, _)| *offset).collect();
        for cut in (0..bytes.len()).filter(|cut| *cut < 100 || cut % 997 == 0 || bytes.len() - cut < 40) {
            let whole = frames(&bytes[..cut]);
            assert_eq!(whole.is_ok(), ends.contains(&(cut as u64)), "{cut} {whole:?}");
        }
        bytes.push(0);
        assert_eq!(frames(&bytes).unwrap_err().status() as u8, 3);
    }
}
