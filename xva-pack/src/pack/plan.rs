//! Which blocks are read, in which order, and where their bytes come from.

use extents::extent::stored::CompressedCluster;
use extents::failure::Failure;

use crate::pack::files::FileNumber;
use crate::pack::member_pair::MemberPair;

/// One block to be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number: guest offset / 1 MiB.
    pub number: u64,
    /// Bytes of it that the disk has: 1 MiB but for the last block.
    pub disk_length: usize,
    /// Bytes that go into the archive; more than the disk has where it is padded.
    pub length: usize,
    /// Written even if it is all zero: the first and the last block.
    pub required: bool,
    /// Where its bytes are.
    pub content: Content,
}

/// Where the bytes of a block are.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// In files: ascending, disjoint segments; what lies between them is zero.
    Segments(Vec<Segment>),
    /// Read already: a stream can be read only in order.
    InPlace,
}

/// A range of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where in the block it begins.
    pub at: usize,
    /// Bytes.
    pub length: usize,
    /// The file that holds it.
    pub file: FileNumber,
    /// How it lies there.
    pub form: Form,
}

/// How bytes lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are, from this file offset on.
    Plain(u64),
    /// In a compressed cluster.
    Compressed(CompressedCluster),
}

impl Form {
    /// The form of what remains without the first `bytes`.
    #[must_use]
    pub fn without_front(self, bytes: u64) -> Self {
        match self {
            Form::Plain(offset) => Form::Plain(offset.saturating_add(bytes)),
            Form::Compressed(cluster) => {
                Form::Compressed(CompressedCluster { skip: cluster.skip.saturating_add(bytes), ..cluster })
            }
        }
    }
}

impl Job {
    /// How many bytes are read for it.
    pub fn bytes_to_read(&self) -> u64 {
        match &self.content {
            Content::Segments(segments) => segments.iter().map(|segment| segment.length as u64).sum(),
            Content::InPlace => self.disk_length as u64,
        }
    }
}

/// Yields the blocks in ascending order. The workers pull it, one at a time.
pub trait Plan: Send {
    /// The next block to read; none after the last one. `memory` is where the block will be: a stream is read into
    /// it at once.
    fn next(&mut self, memory: &mut MemberPair) -> Result<Option<Job>, Failure>;
}
