//! The threads that read blocks, look for zeros and hash, and the order in which their results come back.
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

/// What comes of a turn: a block, nothing at the end of the feed, or a failure.
type Outcome = Result<Option<ReadBlock>, Failure>;

/// The running workers.
#[derive(Debug)]
pub(crate) struct Workers {
    shared: Arc<Shared>,
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
    closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("tickets", &self.tickets).finish_non_exhaustive()
    }
}

impl Workers {
    /// Starts `jobs` threads (at most [`MAX_JOBS`]). Each does its own `worker()` for one block of the feed after the other.
    pub(crate) fn start<W>(feed: Feed, worker: impl Fn() -> W, jobs: usize) -> Result<Self, Failure>
    where
        W: FnMut(Pulled, MemberPair) -> Result<ReadBlock, Failure> + Send + 'static,
    {
        let jobs = jobs.clamp(1, MAX_JOBS);
        let idle = (0..2 * jobs).map(|_| MemberPair::new()).collect();
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { feed, tickets: 0, ended: false }),
            memory: Mutex::new(Memory { idle, closed: false }),
            returned: Condvar::new(),
        });
        let (sender, done) = channel();
        for _ in 0..jobs {
            let (shared, worker, sender) = (Arc::clone(&shared), worker(), sender.clone());
            thread::Builder::new()
                .spawn(move || run_worker(&shared, worker, &sender))
                .map_err(|error| Failure::system(format!("cannot start a thread: {error}")))?;
        }
        Ok(Workers { shared, done, early: BTreeMap::new(), turn: 0 })
    }

    /// The next block of the feed, done; none when the feed has come to its end. Give its memory back with
    /// [`Workers::give_back`]. After a failure nothing more may be asked for.
    pub(crate) fn next_block(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.early.remove(&self.turn) {
                self.turn += 1;
                return outcome;
            }
            let ended = |_| Failure::system("a worker ended before its work was done");
            let (ticket, outcome) = self.done.recv().map_err(ended)?;
            self.early.insert(ticket, outcome);
        }
    }

    /// Makes the memory of a block available for another.
    pub(crate) fn give_back(&self, memory: MemberPair) {
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

/// What each thread runs, until the feed ends or nobody wants its blocks.
fn run_worker(
    shared: &Shared,
    mut worker: impl FnMut(Pulled, MemberPair) -> Result<ReadBlock, Failure>,
    done: &Sender<(u64, Outcome)>,
) {
    while let Some(mut memory) = shared.take_memory() {
        let Some((ticket, pulled)) = lock(&shared.queue).pull(&mut memory) else { return };
        let outcome = pulled.and_then(|pulled| pulled.map(|pulled| worker(pulled, memory)).transpose());
        let last = !matches!(outcome, Ok(Some(_)));
        if done.send((ticket, outcome)).is_err() || last {
            return;
        }
    }
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

#[cfg(test)]
mod tests;
