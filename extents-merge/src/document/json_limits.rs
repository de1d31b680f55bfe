//! What a JSON parser would hold in memory without limit: a long string, and a level for every open bracket. A reader in
//! front of it refuses such input before it gets there.

use std::io::{self, ErrorKind, Read};

use crate::document::json_text::Place;

/// Deeper than any document is.
const MAX_DEPTH: usize = 64;

/// Bytes of a string, escapes included; several times the longest file name in a map.
const MAX_STRING: usize = 64 << 10;

/// Passes JSON on, and ends with an error where a limit is exceeded.
#[derive(Debug)]
pub(crate) struct JsonLimits<R> {
    input: R,
    place: Place,
}

impl<R: Read> JsonLimits<R> {
    pub(crate) fn new(input: R) -> Self {
        JsonLimits { input, place: Place::default() }
    }

    /// Not a part of the parser's reads: where the compiler made it one, 74 MB of runs took a sixth longer in all.
    #[inline(never)]
    fn check(&mut self, bytes: &[u8]) -> io::Result<()> {
        for &byte in bytes {
            self.place.step(byte);
        }
        if self.place.longest_string() > MAX_STRING {
            return Err(exceeded(format!("found a string of more than {MAX_STRING} bytes")));
        }
        if self.place.deepest() > MAX_DEPTH {
            return Err(exceeded(format!("found more than {MAX_DEPTH} brackets in one another")));
        }
        Ok(())
    }
}

fn exceeded(sentence: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, sentence)
}

impl<R: Read> Read for JsonLimits<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.check(&buffer[..count])?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(text: &str) -> bool {
        io::copy(&mut JsonLimits::new(text.as_bytes()), &mut io::sink()).is_ok()
    }

    #[test]
    fn strings_and_nesting_end_somewhere() {
        let string = |length| format!("{{\"{}\":1}}", "a".repeat(length));
        assert!(passes(&string(MAX_STRING - 1)));
        assert!(!passes(&string(MAX_STRING + 1)));
        assert!(passes(&"[".repeat(MAX_DEPTH)));
        assert!(!passes(&"[{".repeat(MAX_DEPTH / 2 + 1)));
        assert!(passes(&"[]".repeat(1000)));
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert!(passes(&format!("[\"{}\"]", "[\\\"".repeat(1000))));
        assert!(passes(&format!("[{}]", "\"\\\\\",[],".repeat(1000))));
    }
}
