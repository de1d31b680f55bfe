//! Why the filter before this one failed. A shell's `pipefail` reports the last stage that failed, and that one could
//! only say that its input was cut off; so a filter that fails ends its unfinished document with its exit status, and the
//! next filter ends with the same one.
//!
//! No JSON parser takes such an output for an answer: the mark has no closing bracket either.

use std::io::{self, ErrorKind, Read};

use crate::failure::{Failure, Status};

/// What stands at the end of the output of a filter that failed, before the digit of its exit status.
const MARK: &[u8] = b"{\"exit_status\":";

/// Bytes that are read on after an error in the document, to find a mark there.
const LOOK_AHEAD: u64 = 4096;

/// The end of the output of a filter that failed with `status`.
pub(crate) fn mark(status: Status) -> Vec<u8> {
    [MARK, (status as u8).to_string().as_bytes()].concat()
}

/// Input from another filter, which remembers how it ended.
#[derive(Debug)]
pub struct Upstream<R> {
    input: R,
    /// As many of the last bytes as a mark has.
    tail: Vec<u8>,
}

impl<R: Read> Upstream<R> {
    /// Reads from `input`, which must not be read from in other ways.
    pub fn new(input: R) -> Self {
        Upstream { input, tail: Vec::new() }
    }

    /// To be asked when the input is no whole document: the failure of the filter before, if it told of one.
    pub fn failure(&mut self) -> Option<Failure> {
        // What cannot be read now was no mark.
        let _ = io::copy(&mut self.by_ref().take(LOOK_AHEAD), &mut io::sink());
        let digit = std::str::from_utf8(self.tail.strip_prefix(MARK)?).ok()?;
        let status = Status::of_exit(digit.parse().ok()?)?;
        Some(Failure::new(status, format!("the filter before this one failed with status {}", status as u8)))
    }
}

impl<R: Read> Read for Upstream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        let length = MARK.len() + 1;
        self.tail.extend_from_slice(&buffer[count.saturating_sub(length)..count]);
        self.tail.drain(..self.tail.len().saturating_sub(length));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_in(parts: &[&[u8]]) -> Option<Status> {
        let mut input: Box<dyn Read> = Box::new(io::empty());
        for part in parts {
            input = Box::new(input.chain(*part));
        }
        let mut upstream = Upstream::new(input);
        let _ = upstream.read(&mut [0; 7]).unwrap();
        upstream.failure().map(|failure| failure.status())
    }

    #[test]
    fn a_mark_is_found_wherever_the_document_broke_off() {
        assert_eq!(failure_in(&[b"{\"exit_status\":4"]), Some(Status::Unsupported));
        assert_eq!(
            failure_in(&[b"{\"virtual_size\":1,\"data_clusters\":[[0,3", b"{\"exit_status\":1"]),
            Some(Status::System)
        );
        assert_eq!(failure_in(&[b"{\"exit_st", b"atus\"", b":3"]), Some(Status::Damaged));
    }

    #[test]
    fn anything_else_is_no_mark() {
        for text in [
            &b""[..],
            b"{",
            b"{\"exit_status\":",
            b"{\"exit_status\":0",
            b"{\"exit_status\":4}",
            b"{\"exit_status\":44",
            b"{\"exit_status\":+",
            b"{\"exit_status\":9",
        ] {
            assert_eq!(failure_in(&[text]), None);
        }
    }
}
