//! The copy: from the plan through the workers into the archive.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use extents::failure::Failure;

use crate::host::progress::Progress;
use crate::pack::reader::Reader;
use crate::pack::sealing::Sealing;
use crate::pack::source::{Origin, Source};
use crate::pack::workers::Workers;
use crate::pack::writer::{Counts, Writer};
use crate::xva::block::BLOCK;
use crate::xva::crc32::Crc32;

/// The most workers that read through a map: each may hold a compressed cluster, the same decompressed, and what zstd
/// remembers, of 2 MiB each.
const MAX_MAP_JOBS: usize = 6;

/// How a disk is packed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How blocks become members.
    pub sealing: Sealing,
    /// Worker threads.
    pub jobs: usize,
    /// The kernel may forget what was read.
    pub drop_cache: bool,
    /// After so long without output a zero block is written too.
    pub keepalive: Option<Duration>,
    /// Other disks follow in the archive: no end-of-tar.
    pub others_follow: bool,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Blocks and bytes.
    pub counts: Counts,
    /// The virtual disk, if its CRC-32 was wanted.
    pub(crate) disk: Option<Crc32>,
    /// What the archive holds of it, if that was wanted and if it was padded.
    pub(crate) archived: Option<Crc32>,
}

/// Writes `ova_xml` and all blocks of the source to `out`, and the end-of-tar if everything before it went well.
pub fn pack(
    source: Source,
    settings: &Settings,
    ova_xml: Option<&[u8]>,
    progress: &mut Progress,
    out: impl Write + AsFd,
) -> Result<Packed, Failure> {
    let Source { feed, files, total, origin } = source;
    let jobs = if matches!(origin, Origin::Map(_)) { settings.jobs.min(MAX_MAP_JOBS) } else { settings.jobs };
    let worker = || {
        let mut reader = Reader::new(Arc::clone(&files), settings.drop_cache);
        let sealing = settings.sealing.clone();
        move |pulled, memory| sealing.work(&mut reader, pulled, memory)
    };
    let mut workers = Workers::start(feed, worker, jobs)?;
    let mut writer = Writer::new(out, settings.keepalive);
    let mut crc = Crc32::new();
    let mut archived_size = 0;
    progress.set(0, total);
    // The metadata waits for the first block, so that a disk that cannot be read leaves no output at all.
    let mut ova_xml = ova_xml;
    while let Some(mut read) = workers.next_block()? {
        if let Some(xml) = ova_xml.take() {
            writer.put_ova_xml(xml)?;
        }
        let block = read.block;
        let start = block.number * BLOCK;
        if let Some(sum) = read.crc {
            crc.zeros(start - crc.length());
            crc.append(sum, block.disk_length as u64);
        }
        archived_size = start + block.length as u64;
        writer.put(&mut read, &settings.sealing)?;
        progress.set(writer.counts().bytes_read, total);
        workers.give_back(read.memory);
    }
    files.check_unchanged()?;
    let counts = writer.finish(settings.others_follow, settings.sealing.algorithm)?;
    progress.finish();
    let disk = settings.sealing.with_crc.then(|| crc.clone());
    let padding = archived_size - crc.length();
    let archived = (disk.is_some() && padding > 0).then(|| {
        crc.zeros(padding);
        crc
    });
    Ok(Packed { counts, disk, archived })
}
