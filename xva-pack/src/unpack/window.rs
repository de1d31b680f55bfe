//! Reads of an archive that can seek, by position. Small reads are served from a window, so that a checksum, the headers
//! around it and the one of the next block are one read of the system, and what is passed over is none.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use extents::extent::length::in_memory;

use crate::xva::tar_member::RECORD;

/// Read where reading jumps: the header of a checksum, its text in a record of its own, and the next header.
const AFTER_JUMP: usize = 3 * RECORD;

/// Read at once, at most, where one small read follows the other.
const MAX: usize = 64 << 10;

/// Some bytes of a file.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// File offset of the first byte.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Fills `buffer` from file offset `offset` on, as far as the file goes. Yields how many bytes that are.
    pub(crate) fn read(&mut self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let filled = self.copy(buffer, offset);
        let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) else { return Ok(filled) };
        let offset = offset + filled as u64;
        if rest.len() > AFTER_JUMP {
            return Ok(filled + read_at(file, rest, offset)?);
        }
        let follows = offset == self.start + self.bytes.len() as u64;
        let length = if follows { (2 * self.bytes.len()).clamp(AFTER_JUMP, MAX) } else { AFTER_JUMP };
        self.start = offset;
        self.bytes.resize(length, 0);
        let read = read_at(file, &mut self.bytes, offset);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        read?;
        Ok(filled + self.copy(rest, offset))
    }

    /// Copies what the window has from file offset `offset` on.
    fn copy(&self, buffer: &mut [u8], offset: u64) -> usize {
        let Some(from) = offset.checked_sub(self.start).filter(|from| *from < self.bytes.len() as u64) else {
            return 0;
        };
        let bytes = self.bytes.get(in_memory(from)..).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        length
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    fill(|into, filled| file.read_at(into, offset + filled), buffer)
}

/// Fills `buffer` as far as `read` goes, which is told how much was read.
pub(crate) fn fill(
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(&mut buffer[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn every_read_yields_the_bytes_of_the_file_wherever_the_window_is() {
        let bytes: Vec<u8> = (0..5 * MAX).map(|at| u8::try_from(at / 100 % 251).unwrap()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut window = Window::default();
        let mut at = 0;
        for step in 0..4000_usize {
            // In order, with jumps forth and back, and over the end.
            at = if step % 7 == 0 { step * 7919 % (bytes.len() + 1000) } else { at };
            let length = [1, 16, 512, 512, AFTER_JUMP, AFTER_JUMP + 1, 9000][step % 5 + step % 3];
            let mut buffer = vec![0; length];
            let count = window.read(&file, &mut buffer, at as u64).unwrap();
            let expected = &bytes[at.min(bytes.len())..(at + length).min(bytes.len())];
            assert!(&buffer[..count] == expected, "{step}: {length} at {at}");
            at += length;
        }
    }
}
