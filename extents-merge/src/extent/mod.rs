//! The walk: an image as pieces in guest order, and one layer laid over another.

use crate::failure::Failure;

pub mod rescale;
pub mod unit_set;

/// A guest range and where its bytes are.
///
/// A layer yields pieces that cover its virtual size in ascending order, without gap or overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Guest offset of the first byte.
    pub start: u64,
    /// Bytes, never 0.
    pub length: u64,
    /// Which layer of the chain decided it: 0 is the image itself, its backing file or parent is 1.
    pub layer: u16,
    /// Where the bytes are.
    pub content: Content,
}

/// Where the bytes of a piece are. Offsets are those of the file that holds the data of the piece's layer.
///
/// The tag is a word of its own: with the compiler's choice of layout, pieces are copied in overlapping parts, and the
/// walk of a QCOW2 with 4 million pieces took 111 ms in place of 79.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Content {
    /// Not in this layer: the layer below decides, and without one they read as zeros.
    Absent,
    /// Zeros, whatever lies below.
    Zero,
    /// Stored as they are, at this file offset.
    Data {
        /// File offset of the first byte.
        offset: u64,
    },
    /// Part of a compressed cluster.
    Compressed(CompressedCluster),
}

/// A compressed cluster, and the part of it that a piece shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressedCluster {
    /// File offset of the compressed bytes.
    pub offset: u64,
    /// How many bytes the compressed form may take; less than 512 of them may lie past the end of the file.
    pub host_length: u32,
    /// Bytes of the cluster once decompressed.
    pub cluster_size: u32,
    /// Where in the decompressed cluster the piece begins.
    pub skip: u32,
    /// How it was compressed.
    pub compression: Compression,
}

/// Compression of QCOW2 clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Raw deflate, no zlib header.
    Zlib,
    /// Zstandard.
    Zstd,
}

impl Piece {
    /// Guest offset after the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// What remains without the first `bytes`, which must be fewer than the piece has.
    #[must_use]
    pub fn without_front(mut self, bytes: u64) -> Self {
        self.start += bytes;
        self.length -= bytes;
        match &mut self.content {
            Content::Absent | Content::Zero => {}
            Content::Data { offset } => *offset += bytes,
            // Inside a cluster of at most 2 MiB.
            Content::Compressed(cluster) => cluster.skip += u32::try_from(bytes).unwrap_or(u32::MAX),
        }
        self
    }

    /// The part of this piece inside the guest range `[start, end)`, which it must touch.
    #[must_use]
    fn cut(self, start: u64, end: u64) -> Self {
        let mut cut = self.without_front(start.saturating_sub(self.start));
        cut.length = cut.length.min(end - cut.start);
        cut
    }

    /// Whether `next`, which begins where this piece ends, goes on in the same way and the two can be one.
    pub fn continues_in(&self, next: &Piece) -> bool {
        self.layer == next.layer
            && match (self.content, next.content) {
                (Content::Absent, Content::Absent) | (Content::Zero, Content::Zero) => true,
                (Content::Data { offset: a }, Content::Data { offset: b }) => a + self.length == b,
                _ => false,
            }
    }

    /// Whether the range may hold anything but zeros.
    pub fn is_data(&self) -> bool {
        matches!(self.content, Content::Data { .. } | Content::Compressed(_))
    }
}

/// The pieces of a layer or chain.
pub type Pieces<'a> = Box<dyn Iterator<Item = Result<Piece, Failure>> + 'a>;

/// One layer over another: what is absent above is looked up below, at the same guest offset.
///
/// It has the size of the upper layer. Where the lower one is shorter, the piece stays absent.
pub struct Overlay<'a> {
    above: Pieces<'a>,
    below: Pieces<'a>,
    /// The part of the upper piece that is absent and not yet looked up.
    absent: Option<Piece>,
    /// The lower piece that was read last.
    lower: Option<Piece>,
}

impl<'a> Overlay<'a> {
    /// Lays `above` over `below`.
    pub fn new(above: Pieces<'a>, below: Pieces<'a>) -> Self {
        Overlay { above, below, absent: None, lower: None }
    }

    /// The beginning of `absent` as the lower layer has it; keeps the rest for the next call.
    fn look_below(&mut self, absent: Piece) -> Result<Piece, Failure> {
        while self.lower.is_none_or(|lower| lower.end() <= absent.start) {
            match self.below.next() {
                Some(lower) => self.lower = Some(lower?),
                None => return Ok(absent),
            }
        }
        let Some(lower) = self.lower else { return Ok(absent) };
        let found = lower.cut(absent.start, absent.end());
        if found.length < absent.length {
            self.absent = Some(absent.without_front(found.length));
        }
        Ok(found)
    }
}

impl Iterator for Overlay<'_> {
    type Item = Result<Piece, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = match self.absent.take() {
            Some(absent) => absent,
            None => match self.above.next()? {
                Ok(piece) if piece.content == Content::Absent => piece,
                decided => return Some(decided),
            },
        };
        Some(self.look_below(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(start: u64, length: u64, layer: u16, content: Content) -> Piece {
        Piece { start, length, layer, content }
    }

    fn layer(pieces: &[Piece]) -> Pieces<'_> {
        Box::new(pieces.iter().copied().map(Ok))
    }

    fn overlay(above: &[Piece], below: &[Piece]) -> Vec<Piece> {
        Overlay::new(layer(above), layer(below)).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn upper_zero_hides_what_lies_below() {
        let above = [piece(0, 10, 0, Content::Zero), piece(10, 10, 0, Content::Absent)];
        let below = [piece(0, 20, 1, Content::Data { offset: 100 })];
        assert_eq!(
            overlay(&above, &below),
            [piece(0, 10, 0, Content::Zero), piece(10, 10, 1, Content::Data { offset: 110 })]
        );
    }

    #[test]
    fn beyond_a_shorter_lower_layer_nothing_is_known() {
        let above = [piece(0, 30, 0, Content::Absent)];
        let below = [piece(0, 5, 1, Content::Zero), piece(5, 5, 1, Content::Data { offset: 7 })];
        assert_eq!(
            overlay(&above, &below),
            [
                piece(0, 5, 1, Content::Zero),
                piece(5, 5, 1, Content::Data { offset: 7 }),
                piece(10, 20, 0, Content::Absent)
            ]
        );
    }

    #[test]
    fn a_part_of_a_compressed_cluster_says_where_it_begins() {
        let cluster = CompressedCluster {
            offset: 9,
            host_length: 512,
            cluster_size: 64,
            skip: 0,
            compression: Compression::Zlib,
        };
        let above = [piece(0, 16, 0, Content::Data { offset: 0 }), piece(16, 8, 0, Content::Absent)];
        let below = [piece(0, 64, 1, Content::Compressed(cluster))];
        let shown = Content::Compressed(CompressedCluster { skip: 16, ..cluster });
        assert_eq!(overlay(&above, &below)[1], piece(16, 8, 1, shown));
    }
}
