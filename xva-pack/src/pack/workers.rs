//! The workers that read blocks, look for zeros and hash, and the order in which their results come back.
//!
//! One of them is the thread that asks for the blocks, and writes them: it works while the block that it waits for is not
//! done, so that on two processors one thread reads and one writes, and neither is ever idle. A pipe costs half as much where one
//! thread does all writing.
//!
//! A worker takes memory first and then the next block of the feed, so that the block that is waited for always has
//! memory and the number of blocks on the way never grows.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use extents::failure::Failure;

use crate::pack::feed::{Feed, Pulled};
use crate::pack::member_pair::MemberPair;
use crate::pack::sealing::ReadBlock;

/// The most workers: with two blocks for each, half of the 64 MiB that the program may take.
pub(crate) const MAX_JOBS: usize = 16;

/// Bytes of a thread's stack: the large things are on the heap.
const STACK: usize = 512 << 10;

/// What comes of a turn: a block, nothing at the end of the feed, or a failure.
type Outcome = Result<Option<ReadBlock>, Failure>;

/// What is done to a block that was pulled, in this memory.
pub(crate) trait Worker:
    FnMut(Pulled, MemberPair) -> Result<ReadBlock, Failure> + Send + 'static
{
}

impl<F: FnMut(Pulled, MemberPair) -> Result<ReadBlock, Failure> + Send + 'static> Worker for F {}

/// The running workers.
pub(crate) struct Workers<W> {
    shared: Arc<Shared>,
    /// What the asking thread does to a block.
    own: W,
    /// Whether it does so while others do.
    helps: bool,
    /// From the other threads.
    done: Receiver<(u64, Outcome)>,
    /// What came before its turn, by ticket.
    early: BTreeMap<u64, Outcome>,
    /// The ticket whose turn it is.
    turn: u64,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    memory: Mutex<Memory>,
    returned: Condvar,
}

/// The feed, and how many tickets were given out for it.
struct Queue {
    feed: Feed,
    tickets: u64,
    ended: bool,
}

/// Memory of blocks that is not in use; the last one returned goes out first, while it is in the caches.
#[derive(Debug)]
struct Memory {
    idle: Vec<MemberPair>,
    /// How many may still be allocated.
    more: usize,
    closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("tickets", &self.tickets).finish_non_exhaustive()
    }
}

impl<W: Worker> Workers<W> {
    /// Makes `jobs` workers (at most [`MAX_JOBS`]), of which all but one are threads. Each does its own `worker()` for one
    /// block of the feed after the other. There are fewer where the system gives no more threads or memory; status 1 if it
    /// does not even give the memory of a block.
    pub(crate) fn start(feed: Feed, worker: impl Fn() -> W, jobs: usize) -> Result<Self, Failure> {
        let jobs = jobs.clamp(1, MAX_JOBS);
        let memory = Memory { idle: vec![MemberPair::new()?], more: 2 * jobs - 1, closed: false };
        // A stream may stall, and whoever reads on in it cannot write what is done.
        let helps = matches!(feed, Feed::Jobs(_));
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { feed, tickets: 0, ended: false }),
            memory: Mutex::new(memory),
            returned: Condvar::new(),
        });
        let (sender, done) = channel();
        let mut threads = 0;
        while threads < jobs - 1 {
            let (shared, worker, sender) = (Arc::clone(&shared), worker(), sender.clone());
            let builder = thread::Builder::new().stack_size(STACK);
            if builder.spawn(move || run_worker(&shared, worker, &sender)).is_err() {
                break;
            }
            threads += 1;
        }
        let own = worker();
        Ok(Workers { shared, own, helps: helps || threads == 0, done, early: BTreeMap::new(), turn: 0 })
    }

    /// The next block of the feed, done; none when the feed has come to its end. Give its memory back with
    /// [`Workers::give_back`]. After a failure nothing more may be asked for.
    pub(crate) fn next_block(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.early.remove(&self.turn) {
                self.turn += 1;
                return outcome;
            }
            let (ticket, outcome) = match self.done.try_recv() {
                Ok(done) => done,
                Err(_) => match self.help() {
                    Some(done) => done,
                    None => self
                        .done
                        .recv()
                        .map_err(|_| Failure::system("a worker ended before its work was done"))?,
                },
            };
            self.early.insert(ticket, outcome);
        }
    }

    /// Does a block, if there is one, and memory for it, and no other thread is about to get it out of the feed.
    fn help(&mut self) -> Option<(u64, Outcome)> {
        if !self.helps {
            return None;
        }
        let mut memory = lock(&self.shared.memory).take()?;
        let pulled = match self.shared.queue.try_lock() {
            Ok(mut queue) => queue.pull(&mut memory),
            Err(_) => None,
        };
        if let Some((ticket, pulled)) = pulled {
            return Some((ticket, work(&mut self.own, pulled, memory)));
        }
        self.give_back(memory);
        None
    }

    /// Makes the memory of a block available for another.
    pub(crate) fn give_back(&self, memory: MemberPair) {
        lock(&self.shared.memory).idle.push(memory);
        self.shared.returned.notify_one();
    }
}

impl<W> Drop for Workers<W> {
    /// Lets the threads end with the block they are at. Nobody waits for them: one may hang in a read.
    fn drop(&mut self) {
        lock(&self.shared.memory).closed = true;
        self.shared.returned.notify_all();
    }
}

/// What each thread runs, until the feed ends or nobody wants its blocks.
fn run_worker(shared: &Shared, mut worker: impl Worker, done: &Sender<(u64, Outcome)>) {
    while let Some(mut memory) = shared.take_memory() {
        let Some((ticket, pulled)) = lock(&shared.queue).pull(&mut memory) else { return };
        let outcome = work(&mut worker, pulled, memory);
        let last = !matches!(outcome, Ok(Some(_)));
        if done.send((ticket, outcome)).is_err() || last {
            return;
        }
    }
}

/// Does what was pulled, if it is a block.
fn work(worker: &mut impl Worker, pulled: Result<Option<Pulled>, Failure>, memory: MemberPair) -> Outcome {
    pulled?.map(|pulled| worker(pulled, memory)).transpose()
}

impl Queue {
    /// The next block with its ticket. The end of the feed and its failure have a ticket too, and are the last ones.
    fn pull(&mut self, memory: &mut MemberPair) -> Option<(u64, Result<Option<Pulled>, Failure>)> {
        if self.ended {
            return None;
        }
        let pulled = self.feed.pull(memory);
        self.ended = !matches!(pulled, Ok(Some(_)));
        let ticket = self.tickets;
        self.tickets += 1;
        Some((ticket, pulled))
    }
}

impl Memory {
    /// Memory for a block, if there is any. What there is must do where the system gives no more.
    fn take(&mut self) -> Option<MemberPair> {
        if self.idle.is_empty() && self.more > 0 {
            let pair = MemberPair::new();
            self.more = if pair.is_ok() { self.more - 1 } else { 0 };
            self.idle.extend(pair);
        }
        self.idle.pop()
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
            if let Some(pair) = memory.take() {
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

#[cfg(test)]
mod tests;
