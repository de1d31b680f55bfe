//! Fills the memory of a block from the files that hold it.

use std::sync::Arc;

use extents::extent::stored::Stored;
use extents::failure::Failure;

use crate::host::page_cache::will_not_need;
use crate::pack::decompressor::Decompressor;
use crate::pack::files::Files;
use crate::pack::job::Job;
use crate::pack::member_pair::MemberPair;

/// One worker's way to the files.
pub struct Reader {
    files: Arc<Files>,
    drop_cache: bool,
    decompressor: Decompressor,
}

impl Reader {
    /// Reads from `files`; with `drop_cache` the kernel may forget at once what was read.
    pub fn new(files: Arc<Files>, drop_cache: bool) -> Self {
        Reader { files, drop_cache, decompressor: Decompressor::new() }
    }

    /// Fills the `length` bytes of the block: what no segment covers becomes zero.
    pub fn fill(&mut self, job: &Job, memory: &mut MemberPair) -> Result<(), Failure> {
        let number = job.block.number;
        let data = memory.data_mut(job.block.length);
        let mut filled = 0;
        for segment in &job.segments {
            let end = segment.at.saturating_add(segment.length);
            if segment.at < filled || end > data.len() {
                return Err(Failure::system(format!("block {number}: its segments overlap")));
            }
            data[filled..segment.at].fill(0);
            let file = self.files.get(segment.file)?;
            let into = &mut data[segment.at..end];
            match segment.stored {
                Stored::Plain { offset } => file.read_exact_at(into, offset, &format!("block {number}"))?,
                Stored::Compressed(cluster) => self.decompressor.read(&file, segment.file, cluster, into)?,
            }
            if self.drop_cache {
                let (offset, length) = segment.stored.file_range(segment.length as u64);
                will_not_need(&file, offset, length);
            }
            filled = end;
        }
        data[filled..].fill(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::job::{Block, Segment};
    use crate::xva::block::BLOCK_LEN;
    use extents::image::file::ImageFile;

    #[test]
    fn segments_may_touch_and_reach_the_end_but_not_overlap() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        std::fs::write(&path, [b'x'; 4096]).unwrap();
        let (files, file) = Files::of_disk(ImageFile::open(&path).unwrap()).unwrap();
        let mut reader = Reader::new(files, false);
        let mut memory = MemberPair::new().unwrap();
        for (ranges, is_sound) in [
            (&[(0, 512), (512, 512)][..], true),
            (&[(512, 512), (1536, 512)], true),
            (&[(0, 512), (511, 512)], false),
            (&[(512, 512), (0, 512)], false),
            (&[(0, 512), (1536, 513)], false),
        ] {
            memory.data_mut(BLOCK_LEN).fill(b'-');
            let segment = |&(at, length): &(usize, usize)| {
                let stored = Stored::Plain { offset: at as u64 };
                Segment { at, length, file, stored }
            };
            let segments = ranges.iter().map(segment).collect();
            let job = Job { block: Block::of(0, 2048, 2048), segments };
            assert_eq!(reader.fill(&job, &mut memory).is_ok(), is_sound, "{ranges:?}");
            if is_sound {
                let mut truth = [0; 2048];
                for &(at, length) in ranges {
                    truth[at..at + length].fill(b'x');
                }
                assert_eq!(memory.data(2048), truth);
            }
        }
    }
}
