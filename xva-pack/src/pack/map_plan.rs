//! `--map`: the blocks of a disk that lies in image files, followed as the map streams in.

use std::collections::VecDeque;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use extents::document::map::entry::{Located, Place};
use extents::document::map::located::LocatedMap;
use extents::extent::length::in_memory;
use extents::extent::stored::Stored;
use extents::failure::Failure;

use crate::host::page_cache::will_need;
use crate::pack::decompressor::check_inside;
use crate::pack::files::{FileNumber, Files};
use crate::pack::job::{Block, Job, Segment};
use crate::xva::block::BLOCK;
use crate::xva::fit::Fit;

/// Blocks that are planned, and announced to the kernel, before they are read. A block of single sectors takes
/// 128 KiB of plan.
const BLOCKS_AHEAD: usize = 16;

/// Segments of one block: twice the sectors that it has. Formats have no smaller units, and the plans of the blocks on the
/// way must take less memory than their bytes.
const MAX_SEGMENTS: usize = 4096;

/// Past the end of what was announced last the kernel reads ahead by itself: a VHD has a sector bitmap between its
/// blocks.
const NEAR: u64 = 128 << 10;

/// Plans the blocks that a map says to hold data.
#[derive(Debug)]
pub struct MapPlan<R> {
    map: LocatedMap<R>,
    name: PathBuf,
    files: Arc<Files>,
    fit: Fit,
    /// What is left of the range in hand.
    rest: Option<Range>,
    /// Planned and not yet given out. The last one may turn out to be the last of the disk.
    ahead: VecDeque<Job>,
    begun: bool,
    ended: bool,
    read_ahead: bool,
    /// Where the last announced segment ends.
    announced: Option<(FileNumber, u64)>,
}

/// A range of the disk, and where its bytes are in an open file.
#[derive(Debug)]
struct Range {
    start: u64,
    end: u64,
    data: Option<(FileNumber, Stored)>,
}

impl<R: Read> MapPlan<R> {
    /// Follows `input`, called `name` in errors; the files that it names are opened in `files`. With `read_ahead`
    /// the kernel is told what will be read.
    pub fn new(input: R, name: PathBuf, files: Arc<Files>, fit: Fit, read_ahead: bool) -> Self {
        MapPlan {
            map: LocatedMap::new(input),
            name,
            files,
            fit,
            rest: None,
            ahead: VecDeque::new(),
            begun: false,
            ended: false,
            read_ahead,
            announced: None,
        }
    }

    /// Bytes of the disk, if the first entry of the map says them: it is waited for, and kept.
    pub(crate) fn virtual_size(&mut self) -> Result<Option<u64>, Failure> {
        self.rest = self.range().map_err(|failure| failure.in_file(&self.name))?;
        Ok(self.map.virtual_size())
    }

    /// The range in hand, or the next one.
    fn range(&mut self) -> Result<Option<Range>, Failure> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        let located = self.map.next_range()?;
        self.files.begin();
        self.fit.check_not_above(self.map.position())?;
        let Some(Located { start, end, data }) = located else { return Ok(None) };
        let data = match data {
            Some(place) => Some((open(&self.files, &place, end - start)?, place.stored)),
            None => None,
        };
        Ok(Some(Range { start, end, data }))
    }

    /// The next block that has data, or block 0; none at the end of the map.
    fn next_block(&mut self) -> Result<Option<Job>, Failure> {
        let mut number = (!std::mem::replace(&mut self.begun, true)).then_some(0);
        let mut segments = Vec::new();
        while let Some(Range { start, end, data }) = self.range()? {
            let Some((file, stored)) = data else {
                if number.is_some_and(|number| end >= (number + 1) * BLOCK) {
                    break;
                }
                continue;
            };
            let number = *number.get_or_insert(start / BLOCK);
            let (block_start, block_end) = (number * BLOCK, (number + 1) * BLOCK);
            if start >= block_end {
                self.rest = Some(Range { start, end, data });
                break;
            }
            if segments.len() == MAX_SEGMENTS {
                return Err(Failure::unsupported(format!(
                    "block {number} is in too many pieces: expected at most {MAX_SEGMENTS}"
                )));
            }
            let length = end.min(block_end) - start;
            segments.push(Segment {
                at: in_memory(start - block_start),
                length: in_memory(length),
                file,
                stored,
            });
            if end > block_end {
                let data = Some((file, stored.without_front(length)));
                self.rest = Some(Range { start: block_end, end, data });
            }
            if end >= block_end {
                break;
            }
        }
        Ok(number.map(|number| Job { block: Block::before_others(number), segments }))
    }

    /// Plans ahead; at the end of the map the size is known, and with it the last block.
    fn look_ahead(&mut self) -> Result<(), Failure> {
        while !self.ended && self.ahead.len() <= BLOCKS_AHEAD {
            if let Some(job) = self.next_block()? {
                if self.read_ahead {
                    self.announce(&job)?;
                }
                self.ahead.push_back(job);
            } else {
                self.ended = true;
                self.end()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let size = self.map.position();
        let archived_size = self.fit.archived_size(size)?;
        let block = Block::of((size - 1) / BLOCK, size, archived_size);
        match self.ahead.back_mut() {
            Some(last) if last.block.number == block.number => last.block = block,
            _ => self.ahead.push_back(Job { block, segments: Vec::new() }),
        }
        Ok(())
    }

    /// Tells the kernel where the job jumps to.
    fn announce(&mut self, job: &Job) -> Result<(), Failure> {
        for segment in &job.segments {
            let (offset, length) = segment.stored.file_range(segment.length as u64);
            let near = self.announced.is_some_and(|(file, end)| {
                file == segment.file && (end..end.saturating_add(NEAR)).contains(&offset)
            });
            if !near {
                let file = self.files.get(segment.file)?;
                will_need(&file, offset, length);
            }
            self.announced = Some((segment.file, offset.saturating_add(length)));
        }
        Ok(())
    }
}

/// The number of the file of `place`, in which the data must lie.
fn open(files: &Files, place: &Place, length: u64) -> Result<FileNumber, Failure> {
    let number = files.number(&place.filename, place.state.as_deref())?;
    let file = files.get(number)?;
    match place.stored {
        Stored::Plain { offset } => file.check_range(offset, length, "data")?,
        Stored::Compressed(cluster) => check_inside(&file, &cluster)?,
    }
    Ok(number)
}

impl<R: Read> Iterator for MapPlan<R> {
    type Item = Result<Job, Failure>;

    /// The next block. After a failure the plan must not be asked again.
    fn next(&mut self) -> Option<Self::Item> {
        match self.look_ahead() {
            Ok(()) => self.ahead.pop_front().map(Ok),
            Err(failure) => Some(Err(failure.in_file(&self.name))),
        }
    }
}
