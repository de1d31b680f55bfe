//! How bytes are stored in a file: as they are, or in a compressed cluster.

use serde::{Deserialize, Serialize};

/// Where in a file the bytes of a range are.
///
/// The tag is a word of its own: with the compiler's choice of layout, extents are copied in overlapping parts, and the
/// walk of a QCOW2 with 4 million extents took 111 ms in place of 79.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stored {
    /// As they are, from this file offset on.
    Plain {
        /// File offset of the first byte.
        offset: u64,
    },
    /// In a part of a compressed cluster.
    Compressed(CompressedCluster),
}

/// A compressed cluster, and the part of it that a range shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressedCluster {
    /// File offset of the compressed bytes.
    pub offset: u64,
    /// Bytes that the compressed form may take; fewer than 512 of them may lie past the end of the file.
    pub host_length: u64,
    /// Bytes of the cluster once decompressed.
    pub cluster_size: u32,
    /// Where in the decompressed cluster the range begins.
    pub skip: u64,
    /// How it was compressed.
    pub compression: Compression,
}

/// Compression of QCOW2 clusters. A map calls them `zlib` and `zstd`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Raw deflate, no zlib header.
    Zlib,
    /// Zstandard.
    Zstd,
}

impl Stored {
    /// Where the rest is without the first `bytes`, which must be fewer than the range has.
    #[must_use]
    pub fn without_front(self, bytes: u64) -> Self {
        match self {
            Stored::Plain { offset } => Stored::Plain { offset: offset.saturating_add(bytes) },
            Stored::Compressed(cluster) => {
                Stored::Compressed(CompressedCluster { skip: cluster.skip.saturating_add(bytes), ..cluster })
            }
        }
    }

    /// The file bytes that are read for `length` bytes of the range: offset and length.
    pub fn file_range(self, length: u64) -> (u64, u64) {
        match self {
            Stored::Plain { offset } => (offset, length),
            Stored::Compressed(cluster) => (cluster.offset, cluster.host_length),
        }
    }
}
