use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::zstd::in_order::*;

#[derive(Default)]
struct Number {
    value: u64,
    bytes: usize,
}

impl Piece for Number {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn clear(&mut self) {
        *self = Number::default();
    }
}

fn numbers(
    count: u64,
    size: impl Fn(u64) -> usize + Send + 'static,
) -> impl FnMut(&mut Number) -> Result<bool, Failure> + Send {
    let mut next = 0;
    move |piece| {
        (piece.value, piece.bytes) = (next, size(next));
        next += 1;
        Ok(next <= count)
    }
}

#[test]
fn pieces_come_back_in_order_however_long_each_takes() {
    let worker = |piece: &mut Number| {
        thread::sleep(Duration::from_micros(piece.value * 7919 % 300));
        piece.value *= 2;
        Ok(())
    };
    // Some are larger than all the room there is.
    let feed = numbers(300, |n| if n % 50 == 0 { 1000 } else { 10 });
    let mut work = InOrder::start(feed, [worker; 4], Limit { bytes: 100, pieces: 8 }).unwrap();
    for n in 0..300 {
        let piece = work.next().unwrap().unwrap();
        assert_eq!(piece.value, 2 * n);
        work.give_back(piece);
    }
    assert!(work.next().unwrap().is_none());
}

/// Each piece waits for the one that is worked on beside it.
#[test]
fn every_thread_works_at_the_same_time_as_the_others() {
    let together = Arc::new(Mutex::new(0));
    let worker = || {
        let together = Arc::clone(&together);
        move |piece: &mut Number| {
            *lock(&together) += 1;
            for _ in 0..10_000 {
                if *lock(&together) >= 2 {
                    piece.value = 1;
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        }
    };
    let workers = [worker(), worker()];
    let mut work = InOrder::start(numbers(2, |_| 10), workers, Limit { bytes: 100, pieces: 8 }).unwrap();
    for _ in 0..2 {
        assert_eq!(work.next().unwrap().unwrap().value, 1);
    }
}

#[test]
fn no_more_is_taken_from_the_feed_than_there_is_room_for() {
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    let feed = |piece: &mut Number| {
        piece.bytes = 10;
        TAKEN.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    };
    let _work = InOrder::start(feed, [|_: &mut Number| Ok(()); 2], Limit { bytes: 45, pieces: 100 }).unwrap();
    thread::sleep(Duration::from_millis(50));
    // Four have room, and one waits for it.
    assert_eq!(TAKEN.load(Ordering::Relaxed), 5);
}

#[test]
fn a_failure_has_its_turn() {
    let mut count = 0;
    let feed = move |piece: &mut Number| {
        piece.value = count;
        count += 1;
        if count > 5 { Err(Failure::system("the feed broke")) } else { Ok(true) }
    };
    let worker = |piece: &mut Number| match piece.value {
        3 => Err(Failure::damaged("the work broke")),
        _ => Ok(()),
    };
    let mut work = InOrder::start(feed, [worker; 3], Limit { bytes: 100, pieces: 8 }).unwrap();
    for _ in 0..3 {
        work.next().unwrap().unwrap();
    }
    assert_eq!(work.next().err().unwrap().status() as u8, 3);
}
