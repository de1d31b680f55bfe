//! Compressed clusters of QCOW2: zlib (raw deflate, without a zlib header) and zstd.

use extents::failure::Failure;
use extents::image_file::ImageFile;
use extents::piece::{CompressedCluster, Compression};
use flate2::{Decompress, FlushDecompress};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use crate::files::FileNumber;

/// Compressed bytes that may lie past the end of the file: the end is rounded up to a sector in the table.
const MAX_PAST_END: u64 = 511;

/// What a cluster that does not become smaller takes more than its size, at most. Whatever the table reserves, no
/// more is read.
const MAX_GROWTH: u64 = 64 << 10;

/// log2 of the memory that zstd may take to look back: the size of the largest cluster.
const ZSTD_WINDOW_BITS: u32 = 21;

/// Fails with status 3 unless the compressed bytes lie inside the file, but for the rest of a sector.
pub fn check_inside(file: &ImageFile, cluster: &CompressedCluster) -> Result<(), Failure> {
    let past_end =
        cluster.offset.checked_add(u64::from(cluster.host_length)).map(|end| end.saturating_sub(file.size()));
    if cluster.offset < file.size() && past_end.is_some_and(|bytes| bytes <= MAX_PAST_END) {
        return Ok(());
    }
    file.check_range(cluster.offset, u64::from(cluster.host_length), "compressed cluster")
}

/// Reads and decompresses clusters, and keeps the last one of which only a part was asked for: a layer above may
/// hide the rest of it piecewise.
pub struct Clusters {
    inflate: Decompress,
    zstd: Option<DCtx<'static>>,
    compressed: Vec<u8>,
    /// The cluster in `kept`.
    key: Option<(FileNumber, CompressedCluster)>,
    kept: Vec<u8>,
}

impl Clusters {
    /// Nothing is allocated before the first cluster.
    pub fn new() -> Self {
        Clusters {
            inflate: Decompress::new(false),
            zstd: None,
            compressed: Vec::new(),
            key: None,
            kept: Vec::new(),
        }
    }

    /// Fills `into` with the bytes of `cluster` from `cluster.skip` on, where they must be. `number` is that of
    /// `file`.
    ///
    /// Status 3 for a cluster that can not be decompressed, or becomes shorter than it should.
    pub fn read(
        &mut self,
        file: &ImageFile,
        number: FileNumber,
        cluster: CompressedCluster,
        into: &mut [u8],
    ) -> Result<(), Failure> {
        let skip = usize::try_from(cluster.skip).unwrap_or(usize::MAX);
        let size = usize::try_from(cluster.cluster_size).unwrap_or(usize::MAX);
        if into.len() == size {
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
        let there = file.size().saturating_sub(cluster.offset).min(u64::from(cluster.host_length));
        let enough = there.min(into.len() as u64 + MAX_GROWTH);
        self.compressed.resize(usize::try_from(enough).unwrap_or(0), 0);
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

    /// How many bytes of `into` were filled. What follows the deflate stream, up to the end of a sector, means
    /// nothing.
    fn inflate(&mut self, into: &mut [u8]) -> Result<usize, String> {
        self.inflate.reset(false);
        self.inflate
            .decompress(&self.compressed, into, FlushDecompress::Finish)
            .map_err(|error| error.to_string())?;
        Ok(usize::try_from(self.inflate.total_out()).unwrap_or(usize::MAX))
    }

    /// The same for zstd. The cluster may be several frames, and is at its end when it is full.
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

impl Default for Clusters {
    fn default() -> Self {
        Clusters::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;
    use std::io::Write;

    /// A file of `length` bytes that ends with what `tail` gives, and its number.
    fn file(tail: &[u8], length: usize) -> (tempfile::TempDir, ImageFile, FileNumber) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        std::fs::write(&path, [&vec![0; length - tail.len()], tail].concat()).unwrap();
        let (_, number) = Files::of_disk(ImageFile::open(&path).unwrap()).unwrap();
        (directory, ImageFile::open(&path).unwrap(), number)
    }

    fn compress(compression: Compression, data: &[u8]) -> Vec<u8> {
        match compression {
            Compression::Zlib => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::bulk::compress(data, 1).unwrap(),
        }
    }

    fn cluster(
        offset: usize,
        host_length: usize,
        size: usize,
        compression: Compression,
    ) -> CompressedCluster {
        CompressedCluster {
            offset: offset as u64,
            host_length: u32::try_from(host_length).unwrap(),
            cluster_size: u32::try_from(size).unwrap(),
            skip: 0,
            compression,
        }
    }

    /// Bytes that do not repeat.
    fn noise(seed: u32, length: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn compressed_bytes_begin_in_the_file_and_only_the_rest_of_a_sector_lies_behind_its_end() {
        let (_folder, file, _) = file(&[], 4096);
        for (offset, host_length, is_inside) in [
            (0, 4096, true),
            (0, 4096 + 511, true),
            (0, 4096 + 512, false),
            (4095, 1, true),
            (4095, 512, true),
            (4096, 1, false),
            (4097, 1, false),
            (u64::MAX, 1, false),
        ] {
            let cluster = CompressedCluster { offset, ..cluster(0, host_length, 65536, Compression::Zlib) };
            let status = check_inside(&file, &cluster).map_err(|failure| failure.status() as u8);
            assert_eq!(status, if is_inside { Ok(()) } else { Err(3) }, "{offset} {host_length}");
        }
    }

    #[test]
    fn a_cluster_shorter_than_it_should_be_is_damage_and_never_zeros() {
        let truth = noise(1, 65536);
        for compression in [Compression::Zlib, Compression::Zstd] {
            for length in [0, 1, 65535, 65536] {
                let packed = compress(compression, &truth[..length]);
                let (_folder, file, number) = file(&packed, packed.len() + 100);
                let cluster = cluster(100, packed.len(), 65536, compression);
                for asked in [65536, 512] {
                    let mut bytes = vec![0; asked];
                    let read = Clusters::new().read(&file, number, cluster, &mut bytes);
                    if length == 65536 {
                        assert_eq!((read, &*bytes), (Ok(()), &truth[..asked]));
                    } else {
                        assert_eq!(read.unwrap_err().status() as u8, 3, "{compression:?} {length} {asked}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_cluster_that_did_not_become_smaller_is_read_to_its_end() {
        let truth = noise(2, 65536);
        for compression in [Compression::Zlib, Compression::Zstd] {
            let packed = compress(compression, &truth);
            assert!(packed.len() > truth.len());
            let followed = [&packed[..], &noise(3, 1000)].concat();
            let (_folder, file, number) = file(&followed, followed.len());
            let mut bytes = vec![0; 65536];
            let cluster = cluster(0, packed.len() + 500, 65536, compression);
            Clusters::new().read(&file, number, cluster, &mut bytes).unwrap();
            assert!(bytes == truth, "{compression:?}");
        }
    }

    #[test]
    fn a_zstd_cluster_of_several_frames_is_read_whole() {
        let truth = noise(4, 4096);
        let frames = [&truth[..1000], &truth[1000..]].map(|part| compress(Compression::Zstd, part)).concat();
        let (_folder, file, number) = file(&frames, frames.len());
        let mut bytes = vec![0; 4096];
        let cluster = cluster(0, frames.len(), 4096, Compression::Zstd);
        Clusters::new().read(&file, number, cluster, &mut bytes).unwrap();
        assert_eq!(bytes, truth);
    }

    #[test]
    fn parts_of_two_clusters_in_turn_are_never_mixed() {
        let truths = [noise(5, 4096), noise(6, 4096)];
        let packed = truths.each_ref().map(|truth| compress(Compression::Zlib, truth));
        let (_folder, file, number) = file(&packed.concat(), packed.concat().len());
        let mut clusters = Clusters::new();
        for (which, skip) in [(0, 0), (1, 512), (1, 3584), (0, 1024), (0, 2048), (1, 0)] {
            let offset = if which == 0 { 0 } else { packed[0].len() };
            let cluster = CompressedCluster {
                skip: u32::try_from(skip).unwrap(),
                ..cluster(offset, packed[which].len(), 4096, Compression::Zlib)
            };
            let mut bytes = [0; 512];
            clusters.read(&file, number, cluster, &mut bytes).unwrap();
            assert_eq!(bytes, truths[which][skip..skip + 512], "{which} {skip}");
            // Past its end there is nothing to show.
            let cluster = CompressedCluster { skip: 4096 - 511, ..cluster };
            assert_eq!(clusters.read(&file, number, cluster, &mut bytes).unwrap_err().status() as u8, 3);
        }
    }
}
