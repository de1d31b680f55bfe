//! `--map`: the blocks of a disk that lies in image files, followed as the map streams in.

use std::collections::VecDeque;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use extents::failure::Failure;

use crate::host::read_ahead::will_need;
use crate::pack::clusters::check_inside;
use crate::pack::files::{FileNumber, Files};
use crate::pack::map_plan::entries::Entries;
use crate::pack::map_plan::entry::Entry;
use crate::pack::member_pair::MemberPair;
use crate::pack::plan::{Content, Form, Job, Plan, Segment};
use crate::xva::block::{BLOCK, BLOCK_LEN, Fit, part};

mod entries;
mod entry;

/// Blocks that are planned, and announced to the kernel, before they are read. A block of single sectors takes
/// 128 KiB of plan.
const BLOCKS_AHEAD: usize = 16;

/// Pieces of one block: twice the sectors that it has. Formats have no smaller units, and the plans of the blocks on the
/// way shall take less memory than their bytes.
const MAX_SEGMENTS: usize = 4096;

/// Behind the end of what was announced last the kernel reads ahead by itself: a VHD has a sector bitmap between its
/// blocks.
const NEAR: u64 = 128 << 10;

/// Plans the blocks that a map says to hold data.
#[derive(Debug)]
pub struct MapPlan<R> {
    entries: Entries<R>,
    name: PathBuf,
    files: Arc<Files>,
    fit: Fit,
    /// What is left of the entry in hand.
    entry: Option<Entry>,
    /// Planned and not yet given out. The last one may turn out to be the last of the disk.
    ahead: VecDeque<Job>,
    begun: bool,
    ended: bool,
    read_ahead: bool,
    /// Where the last announced segment ends.
    announced: Option<(FileNumber, u64)>,
}

impl<R: Read> MapPlan<R> {
    /// Follows `input`, called `name` in errors; the files that it names are opened in `files`. With `read_ahead`
    /// the kernel is told what will be read.
    pub fn new(input: R, name: PathBuf, files: Arc<Files>, fit: Fit, read_ahead: bool) -> Self {
        MapPlan {
            entries: Entries::new(input),
            name,
            files,
            fit,
            entry: None,
            ahead: VecDeque::new(),
            begun: false,
            ended: false,
            read_ahead,
            announced: None,
        }
    }

    /// The entry in hand, or the next one.
    fn entry(&mut self) -> Result<Option<Entry>, Failure> {
        if let Some(entry) = self.entry.take() {
            return Ok(Some(entry));
        }
        let entry = self.entries.next()?;
        self.files.begin();
        self.fit.check_not_above(self.entries.position())?;
        Ok(entry)
    }

    /// The next block that has data, or block 0; none at the end of the map.
    fn next_block(&mut self) -> Result<Option<Job>, Failure> {
        let mut number = (!std::mem::replace(&mut self.begun, true)).then_some(0);
        let mut segments = Vec::new();
        while let Some(mut entry) = self.entry()? {
            let Some(data) = &mut entry.data else {
                if number.is_some_and(|number| entry.end >= (number + 1) * BLOCK) {
                    break;
                }
                continue;
            };
            let file = match data.number {
                Some(file) => file,
                None => *data.number.insert(open(
                    &self.files,
                    &data.filename,
                    data.form,
                    entry.end - entry.start,
                )?),
            };
            let block = *number.get_or_insert(entry.start / BLOCK);
            let block_end = (block + 1) * BLOCK;
            if entry.start >= block_end {
                self.entry = Some(entry);
                break;
            }
            let end = entry.end.min(block_end);
            let length = end - entry.start;
            let at = part(block * BLOCK, entry.start);
            if segments.len() == MAX_SEGMENTS {
                return Err(Failure::unsupported(format!(
                    "block {block} is in too many pieces: expected at most {MAX_SEGMENTS}"
                )));
            }
            segments.push(Segment { at, length: part(0, length), file, form: data.form });
            if entry.end > block_end {
                data.form = data.form.without_front(length);
                entry.start = end;
                self.entry = Some(entry);
                break;
            }
            if entry.end == block_end {
                break;
            }
        }
        Ok(number.map(|number| Job {
            number,
            disk_length: BLOCK_LEN,
            length: BLOCK_LEN,
            required: number == 0,
            content: Content::Segments(segments),
        }))
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
        let size = self.entries.position();
        let archived_size = self.fit.archived_size(size)?;
        let number = (size - 1) / BLOCK;
        let last = match self.ahead.pop_back() {
            Some(job) if job.number == number => job,
            other => {
                self.ahead.extend(other);
                let content = Content::Segments(Vec::new());
                Job { number, disk_length: 0, length: 0, required: true, content }
            }
        };
        let start = number * BLOCK;
        let (disk_length, length) = (part(start, size), part(start, archived_size));
        self.ahead.push_back(Job { disk_length, length, required: true, ..last });
        Ok(())
    }

    /// Tells the kernel where the job jumps to.
    fn announce(&mut self, job: &Job) -> Result<(), Failure> {
        let Content::Segments(segments) = &job.content else { return Ok(()) };
        for segment in segments {
            let (offset, length) = match segment.form {
                Form::Plain(offset) => (offset, segment.length as u64),
                Form::Compressed(cluster) => (cluster.offset, cluster.host_length),
            };
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

/// The number of the file, in which the data must lie.
fn open(files: &Files, name: &str, form: Form, length: u64) -> Result<FileNumber, Failure> {
    let number = files.number(name)?;
    let file = files.get(number)?;
    match form {
        Form::Plain(offset) => file.check_range(offset, length, "data")?,
        Form::Compressed(cluster) => check_inside(&file, &cluster)?,
    }
    Ok(number)
}

impl<R: Read + Send> Plan for MapPlan<R> {
    fn next(&mut self, _: &mut MemberPair) -> Result<Option<Job>, Failure> {
        self.look_ahead().map_err(|failure| failure.in_file(&self.name))?;
        Ok(self.ahead.pop_front())
    }
}
