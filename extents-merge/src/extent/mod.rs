//! A range of a disk and where its bytes are: arithmetic alone, no I/O.
//!
//! A disk is described as [`Extent`]s in guest order, whose data is [stored] in a file. A [walk] yields those of an image, and
//! looks again when it has ended. One layer of a chain is laid [over another](overlay); a
//! [set of units](unit_set) holds where data is once it no longer matters in which file; and [`rescale`] goes from bytes to
//! units, always outwards.

use crate::extent::stored::Stored;

pub mod length;
pub mod overlay;
pub mod rescale;
pub mod stored;
pub mod unit_set;
pub mod walk;

/// A range of the guest's disk and where its bytes are.
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

/// Where the bytes of an extent are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Not in this layer: the layer below decides, and without one they read as zeros.
    Absent,
    /// Zeros, whatever lies below.
    Zero,
    /// In the file that holds the data of the extent's layer.
    Data(Stored),
}

impl Content {
    /// Data that is stored as it is, at a file offset in bytes.
    pub fn at(offset: u64) -> Self {
        Content::Data(Stored::Plain { offset })
    }
}

impl Extent {
    /// All of a raw disk of `size` bytes, as layer number `layer`; none of an empty one.
    pub fn whole(layer: u16, size: u64) -> Option<Self> {
        (size > 0).then_some(Extent { start: 0, length: size, layer, content: Content::at(0) })
    }

    /// Guest offset after the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// What remains without the first `bytes`, which must be fewer than the extent has.
    #[must_use]
    pub fn without_front(self, bytes: u64) -> Self {
        let content = match self.content {
            Content::Data(stored) => Content::Data(stored.without_front(bytes)),
            other => other,
        };
        Extent { start: self.start + bytes, length: self.length - bytes, content, ..self }
    }

    /// Whether `next`, which begins where this extent ends, goes on in the same way and the two can be one.
    pub fn continues_in(&self, next: &Extent) -> bool {
        use Stored::Plain;
        self.layer == next.layer
            && match (self.content, next.content) {
                (Content::Absent, Content::Absent) | (Content::Zero, Content::Zero) => true,
                (Content::Data(Plain { offset: a }), Content::Data(Plain { offset: b })) => {
                    a + self.length == b
                }
                _ => false,
            }
    }

    /// Whether the range may hold anything but zeros.
    pub fn is_data(&self) -> bool {
        matches!(self.content, Content::Data(_))
    }
}
