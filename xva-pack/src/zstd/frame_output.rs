//! Frames on their way out. Until the last one is written, the output ends with the first bytes of the next: however the
//! program ends, killed ones too, what it wrote so far ends inside a frame, and no decoder takes it for whole.

use std::io::Write;

use extents::failure::Failure;

use crate::zstd::frame_header::{MAGIC, MAGIC_LEN};
use crate::zstd::seek_table::SeekTable;

/// Writes frames and, after the last one, the seek table.
#[derive(Debug)]
pub(crate) struct FrameOutput<W> {
    out: W,
    table: SeekTable,
    written: u64,
    /// The magic of the next frame was written.
    begun: bool,
}

impl<W: Write> FrameOutput<W> {
    /// Nothing is written before the first frame.
    pub(crate) fn new(out: W) -> Self {
        FrameOutput { out, table: SeekTable::default(), written: 0, begun: false }
    }

    /// Writes a frame that holds `content` bytes, and the beginning of the next unless it is the `last`.
    pub(crate) fn put(&mut self, frame: &mut Vec<u8>, content: usize, last: bool) -> Result<(), Failure> {
        self.table.push(frame.len(), content)?;
        let begin = if self.begun { MAGIC_LEN } else { 0 };
        self.begun = !last;
        if last {
            frame.extend(std::mem::take(&mut self.table).finish()?);
        } else {
            frame.extend(MAGIC);
        }
        let bytes = frame.get(begin..).unwrap_or_default();
        self.out.write_all(bytes).map_err(|error| Failure::output(&error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Makes sure that the last frame was written; yields the bytes of all.
    pub(crate) fn finish(mut self) -> Result<u64, Failure> {
        if self.begun {
            return Err(Failure::system("the last frame was not written"));
        }
        self.out.flush().map_err(|error| Failure::output(&error))?;
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_last_frame_no_end_is_that_of_a_frame() {
        let contents: [&[u8]; 3] = [b"one", &[0; 5000], b"three"];
        let mut frames: Vec<_> =
            contents.iter().map(|content| zstd::bulk::compress(content, 3).unwrap()).collect();
        let whole = frames.concat();
        let mut out = Vec::new();
        for end in 1..=frames.len() {
            out.clear();
            let mut output = FrameOutput::new(&mut out);
            for (frame, content) in frames[..end].iter_mut().zip(contents) {
                output.put(&mut frame.clone(), content.len(), end == 3 && content == b"three").unwrap();
            }
            assert_eq!(output.finish().is_ok(), end == 3);
            assert_eq!(zstd::stream::decode_all(&out[..]).is_ok(), end == 3);
        }
        assert_eq!(out[..whole.len()], whole);
        assert_eq!(out[whole.len()..][..4], 0x184d_2a5e_u32.to_le_bytes());
    }
}
