//! Work on one piece after the other by several threads, whose results come back in the order of the pieces.
//!
//! A thread takes the next piece from the feed, waits until there is room for what will become of it, and works on it. The
//! piece that is waited for got its room before those after it, so that the work never comes to a halt; what is on the way
//! never takes more than its room, and one piece.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use extents::failure::Failure;

/// A piece of work with its memory, which is used again for another.
pub(crate) trait Piece: Default + Send + 'static {
    /// Bytes that it will take, once the work is done.
    fn bytes(&self) -> usize;
    /// Forgets what it holds; keeps the memory unless it is more than usual.
    fn clear(&mut self);
}

/// What comes of a turn: a piece, nothing at the end of the feed, or a failure.
type Outcome<P> = Result<Option<P>, Failure>;

/// The running threads.
#[derive(Debug)]
pub(crate) struct InOrder<P> {
    shared: Arc<Shared<P>>,
    done: Receiver<(u64, Outcome<P>)>,
    /// What came before its turn, by ticket.
    early: BTreeMap<u64, Outcome<P>>,
    /// The ticket whose turn it is.
    turn: u64,
}

#[derive(Debug)]
struct Shared<P> {
    room: Mutex<Room<P>>,
    returned: Condvar,
}

/// How much may be on the way, and how much is.
#[derive(Debug)]
struct Room<P> {
    idle: Vec<P>,
    limit: Limit,
    bytes: usize,
    pieces: usize,
    closed: bool,
}

/// The most that is on the way at a time; one piece may be larger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// In all pieces.
    pub(crate) bytes: usize,
    /// However small they are.
    pub(crate) pieces: usize,
}

/// The feed, and how many tickets were given out for it.
struct Queue<F> {
    feed: F,
    tickets: u64,
    ended: bool,
}

impl<P: Piece> InOrder<P> {
    /// Starts a thread for each of `workers`, which share `feed`. A feed fills a piece, or says `false` at its end.
    pub(crate) fn start<F, W>(
        feed: F,
        workers: impl IntoIterator<Item = W>,
        limit: Limit,
    ) -> Result<Self, Failure>
    where
        F: FnMut(&mut P) -> Result<bool, Failure> + Send + 'static,
        W: FnMut(&mut P) -> Result<(), Failure> + Send + 'static,
    {
        let room = Room { idle: Vec::new(), limit, bytes: 0, pieces: 0, closed: false };
        let shared = Arc::new(Shared { room: Mutex::new(room), returned: Condvar::new() });
        let queue = Arc::new(Mutex::new(Queue { feed, tickets: 0, ended: false }));
        let (sender, done) = channel();
        for worker in workers {
            let (shared, queue, sender) = (Arc::clone(&shared), Arc::clone(&queue), sender.clone());
            thread::Builder::new()
                .spawn(move || run_worker(&shared, &queue, worker, &sender))
                .map_err(|error| Failure::system(format!("cannot start a thread: {error}")))?;
        }
        Ok(InOrder { shared, done, early: BTreeMap::new(), turn: 0 })
    }

    /// The next piece of the feed, done; none when the feed has come to its end. Give it back with [`InOrder::give_back`].
    /// After a failure nothing more may be asked for.
    pub(crate) fn next(&mut self) -> Outcome<P> {
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

    /// Makes room for another piece.
    pub(crate) fn give_back(&self, mut piece: P) {
        let mut room = lock(&self.shared.room);
        room.bytes -= piece.bytes().min(room.bytes);
        room.pieces -= 1.min(room.pieces);
        piece.clear();
        room.idle.push(piece);
        self.shared.returned.notify_all();
    }
}

impl<P> Drop for InOrder<P> {
    /// Lets the threads end with the piece they are at. Nobody waits for them: one may hang in a read.
    fn drop(&mut self) {
        lock(&self.shared.room).closed = true;
        self.shared.returned.notify_all();
    }
}

/// What each thread runs, until the feed ends or nobody wants its pieces.
fn run_worker<P: Piece, F: FnMut(&mut P) -> Result<bool, Failure>>(
    shared: &Shared<P>,
    queue: &Mutex<Queue<F>>,
    mut worker: impl FnMut(&mut P) -> Result<(), Failure>,
    done: &Sender<(u64, Outcome<P>)>,
) {
    loop {
        // In a statement of its own: what is locked in the head of a loop stays locked in its body.
        let pulled = pull(&mut lock(queue), shared);
        let Some((ticket, pulled)) = pulled else { return };
        let outcome = pulled.and_then(|pulled| match pulled {
            Some(mut piece) => worker(&mut piece).map(|()| Some(piece)),
            None => Ok(None),
        });
        let last = !matches!(outcome, Ok(Some(_)));
        if done.send((ticket, outcome)).is_err() || last {
            return;
        }
    }
}

/// The next piece with its ticket, when there is room for it. The end of the feed and its failure have a ticket too, and
/// are the last ones; none after them, or when nobody wants the pieces any more.
fn pull<P: Piece, F: FnMut(&mut P) -> Result<bool, Failure>>(
    queue: &mut Queue<F>,
    shared: &Shared<P>,
) -> Option<(u64, Outcome<P>)> {
    if queue.ended {
        return None;
    }
    let mut piece = lock(&shared.room).idle.pop().unwrap_or_default();
    let pulled = (queue.feed)(&mut piece).map(|more| more.then_some(piece));
    match &pulled {
        Ok(Some(piece)) => shared.take_room(piece.bytes())?,
        _ => queue.ended = true,
    }
    let ticket = queue.tickets;
    queue.tickets += 1;
    Some((ticket, pulled))
}

impl<P> Shared<P> {
    /// Waits for room; none when nobody wants the pieces any more.
    fn take_room(&self, bytes: usize) -> Option<()> {
        let mut room = lock(&self.room);
        loop {
            if room.closed {
                return None;
            }
            let limit = room.limit;
            if room.pieces == 0 || room.bytes + bytes <= limit.bytes && room.pieces < limit.pieces {
                room.bytes += bytes;
                room.pieces += 1;
                return Some(());
            }
            room = self.returned.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A panic of another thread ends the program; there is nothing to protect from it here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
