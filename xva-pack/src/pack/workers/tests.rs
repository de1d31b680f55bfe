//! The order, the memory and the end of the workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use extents::failure::Failure;

use crate::pack::feed::{Feed, Pulled};
use crate::pack::job::{Block, Job};
use crate::pack::member_pair::MemberPair;
use crate::pack::sealing::ReadBlock;
use crate::pack::workers::{Worker, Workers, lock};

/// Long enough to be sure that what has not happened by then will not happen.
const SOON: Duration = Duration::from_millis(100);
/// Nothing takes so long but what hangs.
const NEVER: Duration = Duration::from_secs(20);

type Jobs = Box<dyn Iterator<Item = Result<Job, Failure>> + Send>;

/// Jobs 0, 1, 2 and so on, as many as `count`, and how many of them were pulled.
fn jobs(count: u64) -> (Jobs, Arc<AtomicU64>) {
    let pulled = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&pulled);
    let jobs = (0..count).map(move |number| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(Job { block: Block::before_others(number), segments: Vec::new() })
    });
    (Box::new(jobs), pulled)
}

fn done(pulled: &Pulled, memory: MemberPair) -> ReadBlock {
    ReadBlock { block: pulled.block(), bytes_read: 0, left_out: false, crc: None, memory }
}

/// Does nothing to a block.
fn idle() -> impl FnMut(Pulled, MemberPair) -> Result<ReadBlock, Failure> + Send + 'static {
    |pulled, memory| Ok(done(&pulled, memory))
}

/// The number of the next block, whose memory is given back.
fn next(workers: &mut Workers<impl Worker>) -> Result<Option<u64>, Failure> {
    Ok(workers.next_block()?.map(|read| {
        workers.give_back(read.memory);
        read.block.number
    }))
}

fn wait_until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < NEVER);
        thread::yield_now();
    }
}

#[test]
fn blocks_come_in_order_and_then_the_end() {
    for workers in [0, 1, 2, 7, 1000] {
        let mut workers = Workers::start(Feed::Jobs(jobs(200).0), idle, workers).unwrap();
        for number in 0..200 {
            assert_eq!(next(&mut workers), Ok(Some(number)));
        }
        assert_eq!(next(&mut workers), Ok(None));
    }
}

#[test]
fn a_slow_block_is_waited_for_and_those_after_it_stay_in_order_and_within_their_memory() {
    let (jobs, pulled) = jobs(100);
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let worker = || {
        let released = Arc::clone(&released);
        move |pulled: Pulled, memory| {
            if pulled.block().number == 0 {
                lock(&released).recv_timeout(NEVER).unwrap();
            }
            Ok(done(&pulled, memory))
        }
    };
    let mut workers = Workers::start(Feed::Jobs(jobs), worker, 3).unwrap();
    // One thread reads block 0, the other one goes as far as the memory goes.
    wait_until(|| pulled.load(Ordering::SeqCst) == 6);
    thread::sleep(SOON);
    assert_eq!(pulled.load(Ordering::SeqCst), 6);
    release.send(()).unwrap();
    for number in 0..100 {
        assert_eq!(next(&mut workers), Ok(Some(number)));
    }
    assert_eq!(next(&mut workers), Ok(None));
}

#[test]
fn no_more_blocks_are_on_the_way_than_there_is_memory() {
    let (jobs, pulled) = jobs(100);
    let mut workers = Workers::start(Feed::Jobs(jobs), idle, 2).unwrap();
    let mut held: Vec<ReadBlock> = (0..4).map(|_| workers.next_block().unwrap().unwrap()).collect();
    thread::sleep(SOON);
    assert_eq!(pulled.load(Ordering::SeqCst), 4);
    workers.give_back(held.remove(0).memory);
    wait_until(|| pulled.load(Ordering::SeqCst) == 5);
    thread::sleep(SOON);
    assert_eq!(pulled.load(Ordering::SeqCst), 5);
}

#[test]
fn a_failure_of_the_feed_comes_after_the_blocks_before_it_and_is_the_last_that_is_pulled() {
    for threads in [1, 2, 8] {
        let failure = Failure::damaged("the map has a gap");
        // Whoever pulled on after the failure would get more blocks.
        let (more, pulled) = jobs(100);
        let failing = jobs(37).0.chain([Err(failure.clone())]).chain(more);
        let mut workers = Workers::start(Feed::Jobs(Box::new(failing)), idle, threads).unwrap();
        for number in 0..37 {
            assert_eq!(next(&mut workers), Ok(Some(number)));
        }
        assert_eq!(next(&mut workers), Err(failure));
        // All threads have ended.
        assert!(next(&mut workers).is_err());
        assert_eq!(pulled.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_failure_of_a_worker_comes_in_its_turn_whatever_was_done_before() {
    let worker = || {
        move |pulled: Pulled, memory| match pulled.block().number {
            37 => Err(Failure::system("cannot read block 37")),
            number => {
                // The failure is there first.
                if number == 36 {
                    thread::sleep(SOON);
                }
                Ok(done(&pulled, memory))
            }
        }
    };
    let mut workers = Workers::start(Feed::Jobs(jobs(100).0), worker, 4).unwrap();
    for number in 0..37 {
        assert_eq!(next(&mut workers), Ok(Some(number)));
    }
    assert_eq!(next(&mut workers), Err(Failure::system("cannot read block 37")));
}

/// Its workers say that they are gone by closing the channel.
fn start(jobs: Jobs, workers: usize, hangs: bool) -> (Workers<impl Worker>, Receiver<()>, Sender<()>) {
    let (alive, gone) = channel();
    let (release, released) = channel();
    let released = Arc::new(Mutex::new(released));
    let worker = || {
        let (alive, released) = (alive.clone(), Arc::clone(&released));
        move |pulled: Pulled, memory| {
            let _alive = &alive;
            if hangs {
                let _: Result<(), _> = lock(&released).recv();
            }
            Ok(done(&pulled, memory))
        }
    };
    (Workers::start(Feed::Jobs(jobs), worker, workers).unwrap(), gone, release)
}

#[test]
fn workers_that_wait_for_memory_end_when_nobody_wants_the_blocks() {
    let (jobs, pulled) = jobs(100);
    let (workers, gone, _release) = start(jobs, 3, false);
    wait_until(|| pulled.load(Ordering::SeqCst) == 6);
    assert_eq!(gone.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
    drop(workers);
    assert_eq!(gone.recv_timeout(NEVER), Err(RecvTimeoutError::Disconnected));
    assert_eq!(pulled.load(Ordering::SeqCst), 6);
}

#[test]
fn nobody_waits_for_a_worker_that_hangs_in_a_read() {
    let (jobs, pulled) = jobs(100);
    let (workers, gone, release) = start(jobs, 2, true);
    wait_until(|| pulled.load(Ordering::SeqCst) == 1);
    drop(workers);
    assert_eq!(gone.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
    drop(release);
    assert_eq!(gone.recv_timeout(NEVER), Err(RecvTimeoutError::Disconnected));
    assert_eq!(pulled.load(Ordering::SeqCst), 1);
}
