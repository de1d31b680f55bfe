//! A file in which what is zero is a hole.

use std::io;
use std::os::unix::fs::FileExt;

use crate::host::whole_file::WholeFile;
use crate::host::zeros::is_zero;

/// Zeros of this length, from a multiple of it on, are left as a hole: the block of most file systems.
const HOLE: usize = 4096;

/// A file that is there only when it is whole.
#[derive(Debug)]
pub(crate) struct SparseFile(pub(crate) WholeFile);

impl SparseFile {
    /// Writes what is not zero.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.0.file();
        let mut data: Option<usize> = None;
        for (at, chunk) in bytes.chunks(HOLE).enumerate().map(|(index, chunk)| (index * HOLE, chunk)) {
            match (data, is_zero(chunk)) {
                (None, false) => data = Some(at),
                (Some(from), true) => {
                    file.write_all_at(&bytes[from..at], offset + from as u64)?;
                    data = None;
                }
                _ => {}
            }
        }
        let from = data.unwrap_or(bytes.len());
        file.write_all_at(&bytes[from..], offset + from as u64)
    }

    /// Makes it `size` bytes long, and gives it its name.
    pub(crate) fn finish(self, size: u64) -> io::Result<()> {
        self.0.file().set_len(size)?;
        self.0.finish()
    }
}
