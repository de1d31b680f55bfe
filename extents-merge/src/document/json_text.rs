//! Where one is in a JSON text: how deep in brackets, and whether in a string, in which brackets do not count.

/// A place in a JSON text, as far as the bytes before it tell. What is not JSON is left to a parser.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Brackets that are open, and the most that ever were.
    depth: usize,
    deepest: usize,
    in_string: bool,
    escaped: bool,
    /// Bytes of the string that we are in, or were in last, escapes included; and of the longest.
    string: usize,
    longest: usize,
}

impl Place {
    /// Brackets that are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The most brackets that were open at a time.
    pub(crate) fn deepest(&self) -> usize {
        self.deepest
    }

    /// Bytes of the longest string so far, escapes included.
    pub(crate) fn longest_string(&self) -> usize {
        self.longest.max(self.string)
    }

    /// Steps over `byte`.
    pub(crate) fn step(&mut self, byte: u8) {
        if self.in_string {
            self.string += 1;
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            return;
        }
        match byte {
            b'"' => {
                self.longest = self.longest_string();
                (self.in_string, self.string) = (true, 0);
            }
            b'[' | b'{' => {
                self.depth += 1;
                self.deepest = self.deepest.max(self.depth);
            }
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}
