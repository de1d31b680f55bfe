//! The table of zstd's seekable format: how long each frame is, and how much it holds, in a skippable frame that comes last.
//!
//! Source: zstd, `contrib/seekable_format/zstd_seekable_compression_format.md`. It is a hint for those who read from the
//! middle. Whoever reads all frames can see whether it is theirs, and so does [`TableCheck`].

use std::hash::Hasher;

use extents::extent::length::in_memory;
use extents::failure::Failure;
use twox_hash::XxHash64;

/// The last digit of the magic of the skippable frame, 0x184D2A5E.
pub(crate) const MAGIC_DIGIT: u8 = 0xe;

/// The magic of the skippable frame.
pub(crate) const MAGIC: [u8; 4] = 0x184d_2a5e_u32.to_le_bytes();

/// What the table ends with.
const FOOTER_MAGIC: [u8; 4] = 0x8f92_eab1_u32.to_le_bytes();

/// Bytes after the entries: their number, the descriptor and the magic.
const FOOTER: usize = 9;

/// Bytes of an entry: those of the frame and those of its content.
const ENTRY: usize = 8;

/// The bit of the descriptor that says that each entry has a checksum after it, of four bytes.
const WITH_CHECKSUMS: u8 = 0x80;

/// The most entries that the format's own readers take.
const MAX_ENTRIES: usize = 0x800_0000;

/// The table of the frames that were written, in the making.
#[derive(Debug, Default)]
pub(crate) struct SeekTable {
    entries: Vec<u8>,
}

impl SeekTable {
    /// Adds a frame of `stored` bytes that holds `content` bytes.
    ///
    /// Status 4 for more frames than a table can have, or one that is too large for it.
    pub(crate) fn push(&mut self, stored: usize, content: usize) -> Result<(), Failure> {
        let size = |bytes| {
            u32::try_from(bytes).map_err(|_| Failure::unsupported("a frame is too large for the seek table"))
        };
        if self.entries.len() / ENTRY == MAX_ENTRIES {
            let what = format!("holds too many blocks for a seek table: expected at most {MAX_ENTRIES}");
            return Err(Failure::unsupported(what));
        }
        self.entries.extend(size(stored)?.to_le_bytes());
        self.entries.extend(size(content)?.to_le_bytes());
        Ok(())
    }

    /// The skippable frame. Without checksums, as each frame has one of its own.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Failure> {
        let size = |count: usize| {
            u32::try_from(count).map_err(|_| Failure::unsupported("the seek table is too large"))
        };
        let head = [MAGIC, size(self.entries.len() + FOOTER)?.to_le_bytes()].concat();
        let mut table = self.entries;
        let count = size(table.len() / ENTRY)?;
        table.extend(count.to_le_bytes());
        table.push(0);
        table.extend(FOOTER_MAGIC);
        table.splice(..0, head);
        Ok(table)
    }
}

/// The frames that were read, as a table would list them, in constant memory.
#[derive(Debug)]
pub(crate) struct TableCheck {
    frames: Listed,
    /// The same, with skippable frames as frames that hold nothing.
    all: Listed,
}

/// A list of entries: how many, and a hash of them.
#[derive(Debug)]
struct Listed {
    count: u64,
    hash: XxHash64,
}

impl Listed {
    fn new() -> Self {
        Listed { count: 0, hash: XxHash64::with_seed(0) }
    }

    fn push(&mut self, stored: u64, content: u64) {
        self.count += 1;
        // What does not fit an entry is in no table.
        for size in [stored, content] {
            self.hash.write(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
}

impl TableCheck {
    /// No frame was read yet.
    pub(crate) fn new() -> Self {
        TableCheck { frames: Listed::new(), all: Listed::new() }
    }

    /// Takes note of a frame of `stored` bytes that holds `content` bytes.
    pub(crate) fn frame(&mut self, stored: u64, content: u64) {
        self.frames.push(stored, content);
        self.all.push(stored, content);
    }

    /// Takes note of a skippable frame of `stored` bytes.
    pub(crate) fn skippable(&mut self, stored: u64) {
        self.all.push(stored, 0);
    }

    /// Reads the rest of a skippable frame of [`MAGIC_DIGIT`], `length` bytes, through `read`, and compares the table in it with
    /// the frames since the last one. The sentence says where it differs. What has no footer of a table is none.
    pub(crate) fn compare(
        &mut self,
        length: u64,
        mut read: impl FnMut(&mut [u8]) -> Result<(), Failure>,
    ) -> Result<Option<String>, Failure> {
        let seen = std::mem::replace(self, TableCheck::new());
        let entries = length.saturating_sub(FOOTER as u64);
        // Which it is, only the footer says.
        let mut plain = XxHash64::with_seed(0);
        let mut with_checksums = XxHash64::with_seed(0);
        let mut buffer = [0; 3 * ENTRY * 512];
        let mut left = entries;
        while left > 0 {
            let part = &mut buffer[..in_memory(left.min(3 * ENTRY as u64 * 512))];
            read(part)?;
            plain.write(part);
            for entry in part.chunks(ENTRY + 4) {
                with_checksums.write(&entry[..entry.len().min(ENTRY)]);
            }
            left -= part.len() as u64;
        }
        let mut footer = [0; FOOTER];
        let footer = &mut footer[..in_memory(length - entries)];
        read(footer)?;
        let Some([a, b, c, d, descriptor]) =
            footer.strip_suffix(&FOOTER_MAGIC).and_then(|rest| rest.first_chunk())
        else {
            return Ok(None);
        };
        let count = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
        let (entry, hash) = match descriptor & WITH_CHECKSUMS {
            0 => (ENTRY as u64, plain),
            _ => (ENTRY as u64 + 4, with_checksums),
        };
        let hash = hash.finish();
        let is = |listed: &Listed| listed.count == count && listed.hash.finish() == hash;
        if entries == count * entry && (is(&seen.frames) || is(&seen.all)) {
            return Ok(None);
        }
        let expected = seen.frames.count;
        Ok(Some(if expected == count {
            "the seek table is not that of the frames before it".to_owned()
        } else {
            format!(
                "the seek table is not that of the frames before it: found {count} entries, expected {expected}"
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(frames: &[(usize, usize)]) -> Vec<u8> {
        let mut table = SeekTable::default();
        for &(stored, content) in frames {
            table.push(stored, content).unwrap();
        }
        table.finish().unwrap()
    }

    fn compare(check: &mut TableCheck, table: &[u8]) -> Option<String> {
        let mut at = 8;
        let length = u32::from_le_bytes(table[4..8].try_into().unwrap());
        assert_eq!(length as usize, table.len() - 8);
        let read = |into: &mut [u8]| {
            into.copy_from_slice(&table[at..at + into.len()]);
            at += into.len();
            Ok(())
        };
        check.compare(u64::from(length), read).unwrap()
    }

    fn seen(frames: &[(usize, usize)]) -> TableCheck {
        let mut check = TableCheck::new();
        for &(stored, content) in frames {
            check.frame(stored as u64, content as u64);
        }
        check
    }

    /// Bytes as the format's description has them.
    #[test]
    fn a_table_is_laid_out_as_the_format_says() {
        let expected = b"\x5e\x2a\x4d\x18\x11\0\0\0\x05\0\0\0\x07\x01\0\0\x01\0\0\0\0\xb1\xea\x92\x8f";
        assert_eq!(table(&[(5, 263)]), expected);
    }

    #[test]
    fn a_table_is_that_of_its_frames_and_of_no_others() {
        let frames: Vec<(usize, usize)> = (0..5000).map(|n| (n * 7 + 9, 1 << 20)).collect();
        let good = table(&frames);
        assert_eq!(compare(&mut seen(&frames), &good), None);
        assert!(
            compare(&mut seen(&frames[1..]), &good).unwrap().contains("found 5000 entries, expected 4999")
        );
        let mut other = frames.clone();
        other.swap(7, 4000);
        assert!(compare(&mut seen(&other), &good).is_some());
        for at in [8, 20_000, good.len() - 9] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(compare(&mut seen(&frames), &bad).is_some(), "{at}");
        }
        // Other data under the same magic is no table.
        let mut other = good.clone();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(compare(&mut seen(&frames), &other), None);
        for short in [&b"\x5e\x2a\x4d\x18\0\0\0\0"[..], b"\x5e\x2a\x4d\x18\x04\0\0\0\xb1\xea\x92\x8f"] {
            assert_eq!(compare(&mut seen(&frames), short), None);
        }
    }

    #[test]
    fn entries_may_have_checksums_and_skippable_frames_entries() {
        let mut check = seen(&[(5, 6), (7, 8)]);
        check.skippable(20);
        check.frame(9, 10);
        let listed = [[5_u32, 6, 111], [7, 8, 222], [20, 0, 333], [9, 10, 444]];
        let mut table = [&MAGIC[..], &57_u32.to_le_bytes()].concat();
        listed.as_flattened().iter().for_each(|number| table.extend(number.to_le_bytes()));
        table.extend(b"\x04\0\0\0\x80\xb1\xea\x92\x8f");
        assert_eq!(compare(&mut check, &table), None);
        // The frames of a second archive come after it.
        check.frame(1, 2);
        assert_eq!(compare(&mut check, &self::table(&[(1, 2)])), None);
    }
}
