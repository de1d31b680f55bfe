//! The array of a map, followed as it streams in: one entry is held at a time.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use extents::document::failed_stage::Upstream;
use extents::failure::Failure;
use serde::Deserialize;
use serde_json::error::Category;

use crate::pack::map_plan::entry::{Entry, Written};

/// A pipe holds as much.
const BUFFER: usize = 64 << 10;

/// Bytes that one entry may take: several times the longest file name, escaped.
const MAX_ENTRY: u64 = 64 << 10;

/// The entries, from the first on without gap or overlap.
#[derive(Debug)]
pub(crate) struct Entries<R> {
    input: BufReader<Upstream<R>>,
    /// Entries read so far.
    count: u64,
    /// Guest offset after the last entry.
    position: u64,
    ended: bool,
}

impl<R: Read> Entries<R> {
    /// Reads from the opening bracket on.
    pub(crate) fn new(input: R) -> Self {
        let input = BufReader::with_capacity(BUFFER, Upstream::new(input));
        Entries { input, count: 0, position: 0, ended: false }
    }

    /// Bytes of the disk, once the map has ended.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next entry; none when the array is closed and nothing follows.
    ///
    /// A map that breaks off because the filter before failed ends with the status of that one.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Failure> {
        self.follow().map_err(|failure| self.input.get_mut().failure().unwrap_or(failure))
    }

    fn follow(&mut self) -> Result<Option<Entry>, Failure> {
        if self.ended || !self.another()? {
            return Ok(None);
        }
        self.count += 1;
        let mut json = serde_json::Deserializer::from_reader((&mut self.input).take(MAX_ENTRY));
        let written = Written::deserialize(&mut json).map_err(|error| sentence(self.count, &error))?;
        let entry = written.check(self.position)?;
        self.position = entry.end;
        Ok(Some(entry))
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
            found => Err(unexpected(found, "nothing behind the map")),
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
            let held = match self.input.fill_buf() {
                Ok(held) => held,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(read_error(&error)),
            };
            match held.first() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.input.consume(1),
                other => return Ok(other.copied()),
            }
        }
    }
}

fn read_error(error: &io::Error) -> Failure {
    Failure::system(format!("cannot read the map: {error}"))
}

fn unexpected(found: Option<u8>, expected: &str) -> Failure {
    match found {
        None => Failure::damaged(format!("the map is cut off: expected {expected}")),
        Some(byte) => {
            Failure::damaged(format!("not a map: found {:?}, expected {expected}", char::from(byte)))
        }
    }
}

fn sentence(number: u64, error: &serde_json::Error) -> Failure {
    match error.classify() {
        Category::Io => Failure::system(format!("cannot read the map: {error}")),
        Category::Eof => Failure::damaged(format!("the map is cut off in entry {number}: {error}")),
        Category::Syntax | Category::Data => {
            Failure::damaged(format!("entry {number} is not that of a map: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<u64, Failure> {
        let mut entries = Entries::new(json.as_bytes());
        while entries.next()?.is_some() {}
        assert!(entries.next()?.is_none());
        Ok(entries.position())
    }

    #[test]
    fn the_status_of_the_filter_before_is_passed_on() {
        for begun in ["", "[", r#"[{"start":0,"length":512,"zero":true}"#, r#"[{"start":0,"len"#] {
            let failure = read(&format!("{begun}{{\"exit_status\":4")).unwrap_err();
            assert_eq!(failure.status() as u8, 4, "{failure}");
        }
    }

    #[test]
    fn an_array_is_read_to_its_end_and_nothing_may_follow() {
        let one = r#"{"start":0,"length":512,"zero":true,"x":[{"]":1}]}"#;
        let two = r#"{"start":512,"length":512,"zero":true}"#;
        assert_eq!(read("[]"), Ok(0));
        assert_eq!(read(&format!(" [ {one} ,\n{two}\t]\n")), Ok(1024));
        for bad in [
            String::new(),
            "[".to_owned(),
            "{}".to_owned(),
            "]".to_owned(),
            "[,]".to_owned(),
            "[1]".to_owned(),
            format!("[{one}"),
            format!("[{one},"),
            format!("[{one},]"),
            format!("[{one}{two}]"),
            format!("[{one};{two}]"),
            format!("({one}]"),
            format!("[{one},{two}"),
            format!("[{one}]]"),
            format!("[{one},{one}]"),
            format!("[{two}]"),
            "[{\"start\":0,\"length\":512,\"zero\":tr".to_owned(),
            format!("[{{\"start\":0,\"filename\":\"{}\"}}]", "x".repeat(70_000)),
        ] {
            assert_eq!(read(&bad).map_err(|failure| failure.status() as u8), Err(3), "{bad:.80}");
        }
    }
}
