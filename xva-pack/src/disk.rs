//! DISK: a raw file or block device, and the plan of which of its blocks are read.

use std::ops::Range;

use extents::failure::Failure;
use extents::holes::Holes;
use extents::image_file::ImageFile;
use extents::rescale::touched;
use extents::unit_set::UnitSet;

use crate::block::{BLOCK, BLOCK_BITS};
use crate::files::FileNumber;
use crate::member_pair::MemberPair;
use crate::plan::{Content, Job, Plan, Segment};

/// The whole of a disk: what `--scan` reads.
pub fn all_blocks(virtual_size: u64) -> UnitSet {
    let mut blocks = UnitSet::new();
    if let Some((first, last)) = touched(0, virtual_size, BLOCK_BITS) {
        blocks.insert(first, last);
    }
    blocks
}

/// The blocks that the file system does not report as holes: what `--scan --skip-holes` reads.
pub fn blocks_with_data(disk: &ImageFile) -> Result<UnitSet, Failure> {
    let mut blocks = UnitSet::new();
    let mut holes = Holes::new(disk);
    let mut offset = 0;
    while offset < disk.size() {
        let data = holes.next_data(offset)?;
        if let Some((first, last)) = touched(data.start, data.end, BLOCK_BITS) {
            blocks.insert(first, last);
        }
        offset = data.end.max(offset + 1);
    }
    Ok(blocks)
}

/// Reads a set of blocks from one file.
#[derive(Debug)]
pub struct DiskPlan {
    blocks: UnitSet,
    /// Blocks of the set that are still to come, as far as they are known to be a run.
    run: Range<u64>,
    file: FileNumber,
    virtual_size: u64,
    archived_size: u64,
}

impl DiskPlan {
    /// Plans `blocks`, the first one and the last one, of a disk of `virtual_size` bytes, which `file` holds.
    pub fn new(mut blocks: UnitSet, file: FileNumber, virtual_size: u64, archived_size: u64) -> Self {
        blocks.insert(0, 0);
        if let Some((_, last)) = touched(0, virtual_size, BLOCK_BITS) {
            blocks.insert(last, last);
        }
        DiskPlan { blocks, run: 0..0, file, virtual_size, archived_size }
    }

    /// How many blocks will be read.
    pub fn len(&self) -> u64 {
        self.blocks.len()
    }

    /// Never: there is always a first block.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

/// The next unit of the set behind `run`, which is what is left of the run that was found last.
fn advance(blocks: &UnitSet, run: &mut Range<u64>) -> Option<u64> {
    if run.is_empty() {
        let (first, last) = blocks.next_run(run.start)?;
        *run = first..last + 1;
    }
    run.next()
}

/// How much of the block that begins at `start` lies before `end`.
fn part(start: u64, end: u64) -> usize {
    usize::try_from(end.saturating_sub(start).min(BLOCK)).unwrap_or(0)
}

impl Plan for DiskPlan {
    fn next(&mut self, _: &mut MemberPair) -> Result<Option<Job>, Failure> {
        let Some(number) = advance(&self.blocks, &mut self.run) else { return Ok(None) };
        let start = number * BLOCK;
        let disk_length = part(start, self.virtual_size);
        let segment = Segment { at: 0, length: disk_length, file: self.file, offset: start };
        Ok(Some(Job {
            number,
            disk_length,
            length: part(start, self.archived_size),
            required: number == 0 || start + BLOCK >= self.virtual_size,
            content: Content::Segments(vec![segment]),
        }))
    }
}
