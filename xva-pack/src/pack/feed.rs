//! Where the workers get their work: jobs, which any of them can do at any time, or a stream, which one at a time must read
//! in order.

use std::fs::File;

use extents::failure::Failure;
use extents::frame::streams::Waiting;

use crate::pack::block_stream::BlockStream;
use crate::pack::job::{Block, Job};
use crate::pack::member_pair::MemberPair;

/// The blocks of a disk, in ascending order.
pub enum Feed {
    /// From files. After a failure nothing more is asked for.
    Jobs(Box<dyn Iterator<Item = Result<Job, Failure>> + Send>),
    /// From a stream.
    Stream(BlockStream<Waiting<File>>),
}

/// What was pulled out of a feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// It is still to be read.
    Job(Job),
    /// It was read into the memory.
    Read(Block),
}

impl Feed {
    /// The next block; none after the last one. One of a stream is read into `memory`.
    pub(crate) fn pull(&mut self, memory: &mut MemberPair) -> Result<Option<Pulled>, Failure> {
        match self {
            Feed::Jobs(jobs) => Ok(jobs.next().transpose()?.map(Pulled::Job)),
            Feed::Stream(stream) => Ok(stream.read_block(memory)?.map(Pulled::Read)),
        }
    }
}

impl Pulled {
    /// Which block it is.
    pub(crate) fn block(&self) -> Block {
        match self {
            Pulled::Job(job) => job.block,
            Pulled::Read(block) => *block,
        }
    }
}
