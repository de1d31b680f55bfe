//! A disk that comes through a pipe: its size is known only when it has ended, and it is read in order.

use std::io::{self, BufRead, BufReader, Read};

use extents::failure::Failure;
use extents::frame::input::InputName;

use crate::pack::job::Block;
use crate::pack::member_pair::MemberPair;
use crate::xva::block::{BLOCK, BLOCK_LEN};
use crate::xva::fit::Fit;

/// What is looked at before the next block, to know whether there is one.
const LOOK_AHEAD: usize = 4096;

/// Reads every block of standard input.
#[derive(Debug)]
pub struct BlockStream<R> {
    input: BufReader<R>,
    fit: Fit,
    number: u64,
    ended: bool,
}

impl<R: Read> BlockStream<R> {
    /// Reads `input` to its end, whose place is then checked by `fit`.
    pub(crate) fn new(input: R, fit: Fit) -> Self {
        BlockStream { input: BufReader::with_capacity(LOOK_AHEAD, input), fit, number: 0, ended: false }
    }

    /// Reads the next block into `memory`; none after the last one.
    pub(crate) fn read_block(&mut self, memory: &mut MemberPair) -> Result<Option<Block>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let number = self.number;
        let start = number * BLOCK;
        let data = memory.data_mut(BLOCK_LEN);
        let count = fill(&mut self.input, data).map_err(|error| read_error(number, &error))?;
        self.ended = count < BLOCK_LEN || self.is_at_end().map_err(|error| read_error(number, &error))?;
        let block = if self.ended {
            let size = start + count as u64;
            Block::of(number, size, self.fit.archived_size(size).map_err(of_stream)?)
        } else {
            // At least one byte follows.
            self.fit.check_not_above(start + BLOCK + 1).map_err(of_stream)?;
            Block::before_others(number)
        };
        data[count..block.length].fill(0);
        self.number += 1;
        Ok(Some(block))
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.input.fill_buf()?.is_empty())
    }
}

fn of_stream(failure: Failure) -> Failure {
    failure.in_file(InputName::Stdin.name())
}

fn read_error(number: u64, error: &io::Error) -> Failure {
    let at = number * BLOCK;
    of_stream(Failure::system(format!("cannot read block {number} at byte {at}: {error}")))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(bytes: &[u8], fit: Fit) -> Result<Vec<(usize, usize, bool)>, Failure> {
        let mut stream = BlockStream::new(bytes, fit);
        let mut memory = MemberPair::new().unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = stream.read_block(&mut memory)? {
            blocks.push((block.disk_length, block.length, block.required));
        }
        Ok(blocks)
    }

    #[test]
    fn the_last_block_is_known_also_where_the_stream_ends_with_a_whole_one() {
        let disk = vec![0; 3 * BLOCK_LEN];
        let whole = (BLOCK_LEN, BLOCK_LEN, true);
        assert_eq!(blocks(&disk, Fit::default()).unwrap(), [whole, (BLOCK_LEN, BLOCK_LEN, false), whole]);
        assert_eq!(blocks(&disk[..BLOCK_LEN + 512], Fit::default()).unwrap(), [whole, (512, 512, true)]);
        let pad = Fit { pad: true, ..Fit::default() };
        assert_eq!(blocks(&disk[..=BLOCK_LEN], pad).unwrap(), [whole, (1, BLOCK_LEN, true)]);
    }

    #[test]
    fn a_stream_that_cannot_be_an_xva_fails_before_its_last_block() {
        assert!(blocks(&[], Fit::default()).is_err());
        assert!(blocks(&vec![0; BLOCK_LEN + 1], Fit::default()).is_err());
    }

    #[test]
    fn a_stream_has_the_size_that_the_metadata_promises_and_no_block_past_it_is_given_out() {
        let disk = vec![0; 3 * BLOCK_LEN];
        let promised = |expected| Fit { expected: Some(expected), ..Fit::default() };
        assert_eq!(blocks(&disk, promised(3 * BLOCK)).unwrap().len(), 3);
        assert_eq!(blocks(&disk, promised(4 * BLOCK)).unwrap_err().status() as u8, 3);
        let mut stream = BlockStream::new(&disk[..=2 * BLOCK_LEN], promised(2 * BLOCK));
        let mut memory = MemberPair::new().unwrap();
        assert!(stream.read_block(&mut memory).unwrap().is_some());
        assert_eq!(stream.read_block(&mut memory).unwrap_err().status() as u8, 3);
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
        // One byte after block 0 shows that another one follows.
        for (bytes, number) in [(BLOCK_LEN + 1, 1), (BLOCK_LEN, 0), (0, 0)] {
            let mut stream = BlockStream::new(Failing(bytes), Fit::default());
            let mut memory = MemberPair::new().unwrap();
            for _ in 0..number {
                assert_eq!(
                    stream.read_block(&mut memory).unwrap().map(|block| block.disk_length),
                    Some(BLOCK_LEN)
                );
            }
            let failure = stream.read_block(&mut memory).unwrap_err().to_string();
            let at = number * BLOCK_LEN;
            let expected = format!("cannot read block {number} at byte {at}: the cable is out");
            assert!(failure.ends_with(&expected), "{failure}");
        }
    }
}
