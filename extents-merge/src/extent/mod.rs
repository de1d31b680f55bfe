//! The walk: an image as extents in guest order, and one layer laid over another.

use crate::failure::Failure;

pub mod rescale;
pub mod unit_set;

/// A guest range and where its bytes are.
///
/// A layer yields extents that cover its virtual size in ascending order, without gap or overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Guest offset of the first byte.
    pub start: u64,
    /// Bytes, never 0.
    pub length: u64,
    /// Which layer of the chain decided it: 0 is the image itself, its backing file or parent is 1.
    pub layer: u16,
    /// Where the bytes are.
    pub content: Content,
}

/// Where the bytes of an extent are. Offsets are those of the file that holds the data of the extent's layer.
///
/// The tag is a word of its own: with the compiler's choice of layout, extents are copied in overlapping parts, and the
/// walk of a QCOW2 with 4 million extents took 111 ms in place of 79.
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

/// A compressed cluster, and the part of it that an extent shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressedCluster {
    /// File offset of the compressed bytes.
    pub offset: u64,
    /// How many bytes the compressed form may take; less than 512 of them may lie past the end of the file.
    pub host_length: u32,
    /// Bytes of the cluster once decompressed.
    pub cluster_size: u32,
    /// Where in the decompressed cluster the extent begins.
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

impl Extent {
    /// Guest offset after the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// What remains without the first `bytes`, which must be fewer than the extent has.
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

    /// The part of this extent inside the guest range `[start, end)`, which it must touch.
    #[must_use]
    fn cut(self, start: u64, end: u64) -> Self {
        let mut cut = self.without_front(start.saturating_sub(self.start));
        cut.length = cut.length.min(end - cut.start);
        cut
    }

    /// Whether `next`, which begins where this extent ends, goes on in the same way and the two can be one.
    pub fn continues_in(&self, next: &Extent) -> bool {
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

/// The extents of a layer or chain.
pub type Extents<'a> = Box<dyn Iterator<Item = Result<Extent, Failure>> + 'a>;

/// One layer over another: what is absent above is looked up below, at the same guest offset.
///
/// It has the size of the upper layer. Where the lower one is shorter, the extent stays absent.
pub struct Overlay<'a> {
    above: Extents<'a>,
    below: Extents<'a>,
    /// The part of the upper extent that is absent and not yet looked up.
    absent: Option<Extent>,
    /// The lower extent that was read last.
    lower: Option<Extent>,
}

impl<'a> Overlay<'a> {
    /// Lays `above` over `below`.
    pub fn new(above: Extents<'a>, below: Extents<'a>) -> Self {
        Overlay { above, below, absent: None, lower: None }
    }

    /// The beginning of `absent` as the lower layer has it; keeps the rest for the next call.
    fn look_below(&mut self, absent: Extent) -> Result<Extent, Failure> {
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
    type Item = Result<Extent, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let extent = match self.absent.take() {
            Some(absent) => absent,
            None => match self.above.next()? {
                Ok(extent) if extent.content == Content::Absent => extent,
                decided => return Some(decided),
            },
        };
        Some(self.look_below(extent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(start: u64, length: u64, layer: u16, content: Content) -> Extent {
        Extent { start, length, layer, content }
    }

    fn layer(extents: &[Extent]) -> Extents<'_> {
        Box::new(extents.iter().copied().map(Ok))
    }

    fn overlay(above: &[Extent], below: &[Extent]) -> Vec<Extent> {
        Overlay::new(layer(above), layer(below)).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn upper_zero_hides_what_lies_below() {
        let above = [extent(0, 10, 0, Content::Zero), extent(10, 10, 0, Content::Absent)];
        let below = [extent(0, 20, 1, Content::Data { offset: 100 })];
        assert_eq!(
            overlay(&above, &below),
            [extent(0, 10, 0, Content::Zero), extent(10, 10, 1, Content::Data { offset: 110 })]
        );
    }

    #[test]
    fn beyond_a_shorter_lower_layer_nothing_is_known() {
        let above = [extent(0, 30, 0, Content::Absent)];
        let below = [extent(0, 5, 1, Content::Zero), extent(5, 5, 1, Content::Data { offset: 7 })];
        assert_eq!(
            overlay(&above, &below),
            [
                extent(0, 5, 1, Content::Zero),
                extent(5, 5, 1, Content::Data { offset: 7 }),
                extent(10, 20, 0, Content::Absent)
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
        let above = [extent(0, 16, 0, Content::Data { offset: 0 }), extent(16, 8, 0, Content::Absent)];
        let below = [extent(0, 64, 1, Content::Compressed(cluster))];
        let shown = Content::Compressed(CompressedCluster { skip: 16, ..cluster });
        assert_eq!(overlay(&above, &below)[1], extent(16, 8, 1, shown));
    }
}
