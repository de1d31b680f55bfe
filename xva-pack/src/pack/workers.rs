//! The threads that read blocks, look for zeros and hash, and the order in which their results come back.
//!
//! A worker takes memory first and then the next job of the plan, so that the block that is waited for always has
//! memory and the number of blocks on the way never grows.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use extents::failure::Failure;

use crate::host::zeros::is_zero;
use crate::pack::member_pair::MemberPair;
use crate::pack::plan::{Job, Plan};
use crate::pack::reader::Reader;
use crate::xva::block::Prefix;
use crate::xva::checksum::Algorithm;

/// The most workers: with two blocks for each, half of the 64 MiB that the program may take.
pub const MAX_JOBS: usize = 16;

/// How blocks become members.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// Directory in the archive.
    pub prefix: Prefix,
    /// Of the checksum members.
    pub algorithm: Algorithm,
    /// Zero blocks are written too.
    pub keep_zeros: bool,
    /// The CRC-32 of every block is wanted.
    pub with_crc: bool,
}

/// A block that was read.
#[derive(Debug)]
pub struct Block {
    /// What was asked for.
    pub job: Job,
    /// All of it is zero, and nobody asked to write it: not sealed.
    pub left_out: bool,
    /// CRC-32 of what the disk has of it, if wanted.
    pub crc: Option<u32>,
    /// Its data, with its headers if it is sealed.
    pub memory: MemberPair,
}

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    shared: Arc<Shared>,
    done: Receiver<(u64, Option<Result<Block, Failure>>)>,
    /// What came before its turn, by ticket.
    early: BTreeMap<u64, Option<Result<Block, Failure>>>,
    /// The ticket whose turn it is.
    turn: u64,
}

#[derive(Debug)]
struct Shared {
    planning: Mutex<Planning>,
    memory: Mutex<Memory>,
    returned: Condvar,
}

/// The plan, and how many of its jobs were given out.
struct Planning {
    plan: Box<dyn Plan>,
    tickets: u64,
    ended: bool,
}

/// Memory of blocks that is not in use; the last one returned goes out first, while it is in the caches.
#[derive(Debug)]
struct Memory {
    idle: Vec<MemberPair>,
    closed: bool,
}

impl std::fmt::Debug for Planning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planning").field("tickets", &self.tickets).finish_non_exhaustive()
    }
}

impl Workers {
    /// Starts `jobs` threads (at most [`MAX_JOBS`]) that follow `plan`.
    pub fn start(
        plan: Box<dyn Plan>,
        reader: impl Fn() -> Reader,
        sealing: &Sealing,
        jobs: usize,
    ) -> Result<Self, Failure> {
        let jobs = jobs.clamp(1, MAX_JOBS);
        let idle = (0..2 * jobs).map(|_| MemberPair::new()).collect();
        let shared = Arc::new(Shared {
            planning: Mutex::new(Planning { plan, tickets: 0, ended: false }),
            memory: Mutex::new(Memory { idle, closed: false }),
            returned: Condvar::new(),
        });
        let (sender, done) = channel();
        for _ in 0..jobs {
            let (shared, sender, sealing) = (Arc::clone(&shared), sender.clone(), sealing.clone());
            let reader = reader();
            thread::Builder::new()
                .spawn(move || work(&shared, reader, &sealing, &sender))
                .map_err(|error| Failure::system(format!("cannot start a thread: {error}")))?;
        }
        Ok(Workers { shared, done, early: BTreeMap::new(), turn: 0 })
    }

    /// The next block of the plan, read; none when the plan has come to its end. Give its memory back with
    /// [`Workers::give_back`].
    pub fn next_block(&mut self) -> Result<Option<Block>, Failure> {
        while !self.early.contains_key(&self.turn) {
            let ended = |_| Failure::system("a worker ended before its work was done");
            let (ticket, result) = self.done.recv().map_err(ended)?;
            self.early.insert(ticket, result);
        }
        let result = self.early.remove(&self.turn).flatten();
        self.turn += 1;
        result.transpose()
    }

    /// Makes the memory of a block available for another.
    pub fn give_back(&self, memory: MemberPair) {
        lock(&self.shared.memory).idle.push(memory);
        self.shared.returned.notify_one();
    }
}

impl Drop for Workers {
    /// Lets the threads end with the block they are at. Nobody waits for them: one may hang in a read.
    fn drop(&mut self) {
        lock(&self.shared.memory).closed = true;
        self.shared.returned.notify_all();
    }
}

/// The life of a worker.
fn work(
    shared: &Shared,
    mut reader: Reader,
    sealing: &Sealing,
    done: &Sender<(u64, Option<Result<Block, Failure>>)>,
) {
    while let Some(mut memory) = shared.take_memory() {
        let Some((ticket, job)) = lock(&shared.planning).next(&mut memory) else { return };
        let block = job.and_then(|job| job.map(|job| read(job, memory, &mut reader, sealing)).transpose());
        let last = !matches!(block, Ok(Some(_)));
        if done.send((ticket, block.transpose())).is_err() || last {
            return;
        }
    }
}

fn read(job: Job, mut memory: MemberPair, reader: &mut Reader, sealing: &Sealing) -> Result<Block, Failure> {
    reader.fill(&job, &mut memory)?;
    let left_out = !job.required && !sealing.keep_zeros && is_zero(memory.data(job.length));
    if !left_out {
        sealing.seal(&job, &mut memory)?;
    }
    let crc = sealing.with_crc.then(|| crc32fast::hash(memory.data(job.disk_length)));
    Ok(Block { job, left_out, crc, memory })
}

impl Sealing {
    /// Makes the two members of a block.
    pub fn seal(&self, job: &Job, memory: &mut MemberPair) -> Result<(), Failure> {
        memory.seal(&self.prefix, job.number, job.length, self.algorithm)
    }
}

impl Planning {
    /// The next job with its ticket; its end and its failure have a ticket too. After these nothing comes.
    fn next(&mut self, memory: &mut MemberPair) -> Option<(u64, Result<Option<Job>, Failure>)> {
        if self.ended {
            return None;
        }
        let job = self.plan.next(memory);
        self.ended = !matches!(job, Ok(Some(_)));
        let ticket = self.tickets;
        self.tickets += 1;
        Some((ticket, job))
    }
}

impl Shared {
    /// Waits for memory; none when nobody wants the blocks any more.
    fn take_memory(&self) -> Option<MemberPair> {
        let mut memory = lock(&self.memory);
        loop {
            if memory.closed {
                return None;
            }
            if let Some(pair) = memory.idle.pop() {
                return Some(pair);
            }
            memory = self.returned.wait(memory).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A panic of another thread ends the program; there is nothing to protect from it here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
