//! The array of a map, followed as it streams in: one entry is held at a time.

use std::io::BufRead;

use serde::de::DeserializeOwned;

use crate::document::json_text::Place;
use crate::failure::Failure;

/// Bytes that one entry may take: several times the longest file name, escaped.
const MAX_ENTRY: usize = 64 << 10;

/// Pulls entries out of a map.
#[derive(Debug)]
pub(crate) struct MapReader<R> {
    input: R,
    /// The bytes of the entry at hand.
    entry: Vec<u8>,
    /// Entries read so far.
    count: u64,
    ended: bool,
}

impl<R: BufRead> MapReader<R> {
    /// Reads from the opening bracket on.
    pub(crate) fn new(input: R) -> Self {
        MapReader { input, entry: Vec::new(), count: 0, ended: false }
    }

    /// What is read from.
    pub(crate) fn get_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// The next entry, as far as `E` wants to know of it; none when the array is closed and nothing follows.
    ///
    /// Status 3 for what is not an array of entries, or is cut off; status 1 for a failed read.
    pub(crate) fn next_entry<E: DeserializeOwned>(&mut self) -> Result<Option<E>, Failure> {
        if self.ended || !self.another()? {
            return Ok(None);
        }
        self.count += 1;
        self.take_entry()?;
        match serde_json::from_slice(&self.entry) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) => Err(self.damaged(&error.to_string())),
        }
    }

    /// Takes the bytes of the next entry: up to the bracket that closes it.
    ///
    /// Not a part of what parses them: where the compiler made it one, the map of a million entries took longer.
    #[inline(never)]
    fn take_entry(&mut self) -> Result<(), Failure> {
        self.entry.clear();
        if self.peek()?.is_some_and(|byte| byte != b'{') {
            return Err(self.damaged("found no object, expected one"));
        }
        let mut place = Place::default();
        loop {
            let held = fill(&mut self.input)?;
            let closing = held.iter().position(|&byte| {
                place.step(byte);
                place.depth() == 0
            });
            let length = closing.map_or(held.len(), |at| at + 1);
            if length == 0 {
                return Err(Failure::damaged(format!("the map is cut off in entry {}", self.count)));
            }
            self.entry.extend_from_slice(&held[..length]);
            self.input.consume(length);
            if self.entry.len() > MAX_ENTRY {
                return Err(self.damaged(&format!("found more than {MAX_ENTRY} bytes, expected fewer")));
            }
            if closing.is_some() {
                return Ok(());
            }
        }
    }

    /// Status 3 for the entry that was read last.
    pub(crate) fn damaged(&self, what: &str) -> Failure {
        Failure::damaged(format!("entry {} is not that of a map: {what}", self.count))
    }

    /// Steps over what stands before an entry, or to the end of the map.
    fn another(&mut self) -> Result<bool, Failure> {
        let expected = if self.count == 0 { b'[' } else { b',' };
        let found = self.byte()?;
        match found {
            Some(b']') if self.count > 0 => return self.end(),
            Some(byte) if byte == expected => {}
            _ => return Err(unexpected(found, if self.count == 0 { "[" } else { ", or ]" })),
        }
        if self.count == 0 && self.peek()? == Some(b']') {
            self.input.consume(1);
            return self.end();
        }
        Ok(true)
    }

    fn end(&mut self) -> Result<bool, Failure> {
        self.ended = true;
        match self.byte()? {
            None => Ok(false),
            found => Err(unexpected(found, "nothing after the map")),
        }
    }

    /// The next byte that is not white space.
    fn byte(&mut self) -> Result<Option<u8>, Failure> {
        let byte = self.peek()?;
        self.input.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    fn peek(&mut self) -> Result<Option<u8>, Failure> {
        loop {
            match fill(&mut self.input)?.first() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.input.consume(1),
                other => return Ok(other.copied()),
            }
        }
    }
}

/// The bytes that `input` holds; none at its end.
fn fill(input: &mut impl BufRead) -> Result<&[u8], Failure> {
    input.fill_buf().map_err(|error| Failure::system(format!("cannot read the map: {error}")))
}

fn unexpected(found: Option<u8>, expected: &str) -> Failure {
    match found {
        None => Failure::damaged(format!("the map is cut off: expected {expected}")),
        // Printed by the header tools without --output map.
        Some(b'{') if expected == "[" => Failure::damaged(
            "not a map: found '{', as an extents document begins; expected [, as --output map of the header tools prints it",
        ),
        Some(byte) => {
            Failure::damaged(format!("not a map: found {:?}, expected {expected}", char::from(byte)))
        }
    }
}

/// Guest offset after the last byte of an entry.
pub(crate) fn end(start: u64, length: u64) -> Result<u64, String> {
    start.checked_add(length).ok_or_else(|| format!("too long: found {length} bytes at {start}"))
}
