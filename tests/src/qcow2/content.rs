//! What the clusters hold: a pattern that is nowhere zero and that names its layer and its guest sector, so that no
//! two of them can be confused.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Fills `bytes`, which lie at guest offset `start`, with the pattern of the layer `mark`.
pub(super) fn fill(bytes: &mut [u8], start: u64, mark: u8) {
    for (byte, offset) in bytes.iter_mut().zip(start..) {
        *byte = match offset % 8 {
            0 => mark,
            n => ((offset / 512) >> (7 * (n - 1))).to_le_bytes()[0] | 0x80,
        };
    }
}

/// What is in the places that nobody may read.
pub(super) const GARBAGE: u8 = 0xEE;

/// A cluster in compressed form: raw deflate or zstd. Deflate looks back a few sectors at most, as QEMU's window of
/// 4 KiB demands, because the nearest of equally good matches is taken.
pub(super) fn compress(cluster: &[u8], zstd: bool) -> io::Result<Vec<u8>> {
    if zstd {
        return zstd::stream::encode_all(cluster, 3);
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(cluster)?;
    encoder.finish()
}
