//! A disk that comes through a pipe: its size is known only when it has ended, and it is read in order.

use std::io::{self, BufRead, BufReader, Read};

use extents::failure::Failure;

use crate::pack::member_pair::MemberPair;
use crate::pack::plan::{Content, Job, Plan};
use crate::xva::block::{BLOCK, BLOCK_LEN, Fit, part};

/// What is looked at before the next block, to know whether there is one.
const LOOK_AHEAD: usize = 4096;

/// Reads every block of a stream.
#[derive(Debug)]
pub struct StreamPlan<R> {
    input: BufReader<R>,
    fit: Fit,
    number: u64,
    ended: bool,
}

impl<R: Read> StreamPlan<R> {
    /// Reads `input` to its end, whose place is then checked by `fit`.
    pub fn new(input: R, fit: Fit) -> Self {
        StreamPlan { input: BufReader::with_capacity(LOOK_AHEAD, input), fit, number: 0, ended: false }
    }
}

fn read_error(number: u64, error: &io::Error) -> Failure {
    let at = number * BLOCK;
    Failure::system(format!("standard input: cannot read block {number} at byte {at}: {error}"))
}

/// Fills as much of `data` as there is. Standard input goes on by itself after a signal.
fn fill(input: &mut impl Read, data: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < data.len() {
        match input.read(&mut data[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

impl<R: Read + Send> Plan for StreamPlan<R> {
    fn next(&mut self, memory: &mut MemberPair) -> Result<Option<Job>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let number = self.number;
        let start = number * BLOCK;
        let data = memory.data_mut(BLOCK_LEN);
        let disk_length = fill(&mut self.input, data).map_err(|error| read_error(number, &error))?;
        self.ended = self.input.fill_buf().map_err(|error| read_error(number, &error))?.is_empty();
        let mut length = disk_length;
        if self.ended {
            let archived_size = self.fit.archived_size(start + disk_length as u64);
            length = part(start, archived_size.map_err(|f| f.in_file("standard input".as_ref()))?);
            data[disk_length..length].fill(0);
        } else {
            // At least one byte follows.
            self.fit.check_not_above(start + BLOCK + 1).map_err(|f| f.in_file("standard input".as_ref()))?;
        }
        self.number += 1;
        let required = number == 0 || self.ended;
        Ok(Some(Job { number, disk_length, length, required, content: Content::InPlace }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(bytes: &[u8], fit: Fit) -> Result<Vec<(usize, usize, bool)>, Failure> {
        let mut plan = StreamPlan::new(bytes, fit);
        let mut memory = MemberPair::new();
        let mut jobs = Vec::new();
        while let Some(job) = plan.next(&mut memory)? {
            jobs.push((job.disk_length, job.length, job.required));
        }
        Ok(jobs)
    }

    #[test]
    fn the_last_block_is_known_also_where_the_stream_ends_with_a_whole_one() {
        let disk = vec![0; 3 * BLOCK_LEN];
        let whole = (BLOCK_LEN, BLOCK_LEN, true);
        assert_eq!(jobs(&disk, Fit::default()).unwrap(), [whole, (BLOCK_LEN, BLOCK_LEN, false), whole]);
        assert_eq!(jobs(&disk[..BLOCK_LEN + 512], Fit::default()).unwrap(), [whole, (512, 512, true)]);
        let pad = Fit { pad: true, ..Fit::default() };
        assert_eq!(jobs(&disk[..=BLOCK_LEN], pad).unwrap(), [whole, (1, BLOCK_LEN, true)]);
    }

    #[test]
    fn a_stream_that_can_not_be_an_xva_fails_before_its_last_block() {
        assert!(jobs(&[], Fit::default()).is_err());
        assert!(jobs(&vec![0; BLOCK_LEN + 1], Fit::default()).is_err());
    }

    #[test]
    fn a_stream_has_the_size_that_the_metadata_promises_and_no_block_behind_it_is_given_out() {
        let disk = vec![0; 3 * BLOCK_LEN];
        let promised = |expected| Fit { expected: Some(expected), ..Fit::default() };
        assert_eq!(jobs(&disk, promised(3 * BLOCK)).unwrap().len(), 3);
        assert_eq!(jobs(&disk, promised(4 * BLOCK)).unwrap_err().status() as u8, 3);
        let mut plan = StreamPlan::new(&disk[..=2 * BLOCK_LEN], promised(2 * BLOCK));
        let mut memory = MemberPair::new();
        assert!(plan.next(&mut memory).unwrap().is_some());
        assert_eq!(plan.next(&mut memory).unwrap_err().status() as u8, 3);
    }

    /// A pipe that has so many bytes, in parts, and then fails.
    struct Failing(usize);

    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = into.len().min(self.0).min(300_000);
            self.0 -= count;
            if count == 0 { Err(io::Error::other("the cable is out")) } else { Ok(count) }
        }
    }

    #[test]
    fn an_error_is_no_end_of_the_stream() {
        // One byte behind block 0 shows that another one follows.
        for (bytes, block) in [(BLOCK_LEN + 1, 1), (BLOCK_LEN, 0), (0, 0)] {
            let mut plan = StreamPlan::new(Failing(bytes), Fit::default());
            let mut memory = MemberPair::new();
            for _ in 0..block {
                assert_eq!(plan.next(&mut memory).unwrap().map(|job| job.disk_length), Some(BLOCK_LEN));
            }
            let failure = plan.next(&mut memory).unwrap_err().to_string();
            let at = block * BLOCK_LEN;
            let expected = format!("cannot read block {block} at byte {at}: the cable is out");
            assert!(failure.ends_with(&expected), "{failure}");
        }
    }
}
