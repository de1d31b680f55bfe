//! Reads the compressed clusters of QCOW2 from their files and decompresses them: zlib (raw deflate, without a zlib
//! header) and zstd.

use extents::extent::length::in_memory;
use extents::extent::stored::{CompressedCluster, Compression};
use extents::failure::Failure;
use extents::image::file::ImageFile;
use flate2::{Decompress, FlushDecompress};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use crate::pack::files::FileNumber;

/// Compressed bytes that may lie past the end of the file: QCOW2 tables round their end up to a sector.
const MAX_PAST_END: u64 = 511;

/// Bytes by which a compressed cluster may be larger than what it holds. No more is read, whatever the table reserves
/// for it.
const MAX_GROWTH: u64 = 64 << 10;

/// log2 of the memory that zstd may take to look back: the size of the largest cluster.
const ZSTD_WINDOW_BITS: u32 = 21;

/// Fails with status 3 unless the compressed bytes lie inside the file, but for the rest of a sector.
pub fn check_inside(file: &ImageFile, cluster: &CompressedCluster) -> Result<(), Failure> {
    let past_end = cluster.offset.checked_add(cluster.host_length).map(|end| end.saturating_sub(file.size()));
    if cluster.offset < file.size() && past_end.is_some_and(|bytes| bytes <= MAX_PAST_END) {
        return Ok(());
    }
    file.check_range(cluster.offset, cluster.host_length, "compressed cluster")
}

/// Decompresses clusters, and keeps the last one of which only a part was asked for: a layer above may hide other parts
/// of it, so that it is asked for again and again.
pub struct Decompressor {
    inflate: Option<Decompress>,
    zstd: Option<DCtx<'static>>,
    compressed: Vec<u8>,
    /// The cluster in `kept`.
    key: Option<(FileNumber, CompressedCluster)>,
    kept: Vec<u8>,
}

impl Decompressor {
    /// Nothing is allocated before the first cluster.
    pub fn new() -> Self {
        Decompressor { inflate: None, zstd: None, compressed: Vec::new(), key: None, kept: Vec::new() }
    }

    /// Fills `into` with the bytes of `cluster` from `cluster.skip` on. `number` is that of `file`.
    ///
    /// Status 3 for a cluster that cannot be decompressed, or that is shorter than it should be or than what is asked of it.
    pub fn read(
        &mut self,
        file: &ImageFile,
        number: FileNumber,
        cluster: CompressedCluster,
        into: &mut [u8],
    ) -> Result<(), Failure> {
        let (skip, size) = (in_memory(cluster.skip), in_memory(u64::from(cluster.cluster_size)));
        if skip == 0 && into.len() == size {
            return self.decompress(file, cluster, into);
        }
        let key = Some((number, CompressedCluster { skip: 0, ..cluster }));
        if self.key != key {
            self.key = None;
            let mut kept = std::mem::take(&mut self.kept);
            kept.resize(size, 0);
            self.decompress(file, cluster, &mut kept)?;
            self.kept = kept;
            self.key = key;
        }
        let shown = skip.checked_add(into.len()).and_then(|end| self.kept.get(skip..end));
        into.copy_from_slice(shown.ok_or_else(|| file.damaged("an entry shows more than its cluster has"))?);
        Ok(())
    }

    fn decompress(
        &mut self,
        file: &ImageFile,
        cluster: CompressedCluster,
        into: &mut [u8],
    ) -> Result<(), Failure> {
        let there = file.size().saturating_sub(cluster.offset).min(cluster.host_length);
        let enough = there.min(into.len() as u64 + MAX_GROWTH);
        self.compressed.resize(in_memory(enough), 0);
        file.read_exact_at(&mut self.compressed, cluster.offset, "compressed cluster")?;
        let done = match cluster.compression {
            Compression::Zlib => self.inflate(into),
            Compression::Zstd => self.zstd(into),
        };
        let found = done.map_err(|error| {
            file.damaged(format!("the compressed cluster at byte {} is damaged: {error}", cluster.offset))
        })?;
        if found == into.len() {
            return Ok(());
        }
        Err(file.damaged(format!(
            "the compressed cluster at byte {} is too short: found {found} bytes, expected {}",
            cluster.offset,
            into.len()
        )))
    }

    /// Decompresses a deflate stream; yields how many bytes of `into` were filled. What follows the stream, up to the end
    /// of a sector, means nothing.
    fn inflate(&mut self, into: &mut [u8]) -> Result<usize, String> {
        let inflate = self.inflate.get_or_insert_with(|| Decompress::new(false));
        inflate.reset(false);
        inflate
            .decompress(&self.compressed, into, FlushDecompress::Finish)
            .map_err(|error| error.to_string())?;
        Ok(in_memory(inflate.total_out()))
    }

    /// Decompresses zstd; yields how many bytes of `into` were filled. The cluster may be several frames, and is at its end
    /// when it is full.
    fn zstd(&mut self, into: &mut [u8]) -> Result<usize, String> {
        let name = |code| zstd::zstd_safe::get_error_name(code).to_owned();
        let context = match &mut self.zstd {
            Some(context) => context,
            empty => {
                let context = empty.insert(DCtx::try_create().ok_or("no memory")?);
                context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_BITS)).map_err(name)?;
                context
            }
        };
        context.reset(zstd::zstd_safe::ResetDirective::SessionOnly).map_err(name)?;
        let size = into.len();
        let mut input = InBuffer::around(&self.compressed);
        let mut output = OutBuffer::around(into);
        loop {
            let before = (input.pos(), output.pos());
            context.decompress_stream(&mut output, &mut input).map_err(name)?;
            if output.pos() == size || before == (input.pos(), output.pos()) {
                return Ok(output.pos());
            }
        }
    }
}

impl Default for Decompressor {
    fn default() -> Self {
        Decompressor::new()
    }
}
