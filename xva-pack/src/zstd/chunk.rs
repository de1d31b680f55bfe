//! A part of the content of a compressed archive, on its way from the frame that it is in.

use std::io;

use extents::failure::Failure;
use zstd::bulk::Decompressor;

use crate::zstd::frame_walk::damaged;
use crate::zstd::in_order::Piece;

/// Bytes of content that are decompressed at once where frames do not say how large they are.
pub(crate) const CHUNK: usize = 1 << 20;

/// Memory that a chunk keeps for the next one: a block of 1 MiB with its headers, or a frame of it.
const KEPT: usize = (1 << 20) + (16 << 10);

/// A part of the content.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The frame, if it is still to be decompressed.
    pub(crate) frame: Vec<u8>,
    /// Bytes of content that its header says it has.
    pub(crate) size: usize,
    /// The content, once it is decompressed.
    pub(crate) content: Vec<u8>,
    /// Byte of the archive at which the frame begins.
    pub(crate) offset: u64,
    /// Bytes of the archive that were read up to its end.
    pub(crate) end: u64,
    /// What is wrong with the frame: then there is no content.
    pub(crate) damage: Option<Failure>,
}

impl Piece for Chunk {
    fn bytes(&self) -> usize {
        self.frame.len() + self.size.max(self.content.len())
    }

    fn clear(&mut self) {
        for memory in [&mut self.frame, &mut self.content] {
            memory.clear();
            memory.shrink_to(KEPT);
        }
        self.size = 0;
        self.damage = None;
    }
}

/// Decompresses one frame after the other; what is no frame, but content already, is left as it is. After a damaged frame others
/// may come that are not.
pub(crate) fn decompress() -> io::Result<impl FnMut(&mut Chunk) -> Result<(), Failure> + Send + 'static> {
    let mut decompressor = Decompressor::new()?;
    Ok(move |chunk: &mut Chunk| {
        if chunk.frame.is_empty() {
            return Ok(());
        }
        chunk.content.reserve_exact(chunk.size);
        let what = match decompressor.decompress_to_buffer(&chunk.frame[..], &mut chunk.content) {
            Ok(found) if found == chunk.size => return Ok(()),
            Ok(found) => format!("found {found} bytes of content, expected {}", chunk.size),
            Err(error) => error.to_string(),
        };
        chunk.content.clear();
        chunk.damage = Some(damaged(chunk.offset, &what));
        Ok(())
    })
}
