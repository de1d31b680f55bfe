//! `--skip-holes`: what the file system reports as a hole of the image file is not data.
//!
//! Not the default: some file systems have reported holes where there was data, and the answer would depend on how
//! the image was copied.

use std::io;
use std::ops::Range;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::extent::stored::Stored;
use crate::extent::{Content, Extent};
use crate::failure::Failure;
use crate::image::file::ImageFile;

/// log2 of 4 KiB, the unit in which file systems usually report holes.
pub const HOLE_BITS: u32 = 12;

/// Finds the data of one file, remembering the last answer: neighbouring questions cost no system call.
#[derive(Debug)]
pub struct Holes<'a> {
    file: &'a ImageFile,
    /// A range that begins with a hole (perhaps empty) and ends with data: `[0]..[1]` is hole, `[1]..[2]` data.
    known: [u64; 3],
}

impl<'a> Holes<'a> {
    /// Nothing is asked yet.
    pub fn new(file: &'a ImageFile) -> Self {
        Holes { file, known: [0; 3] }
    }

    /// The first range of data (file bytes) that ends after `offset`, cut to begin no earlier than there; empty at
    /// the end of the file when there is none. All of a block device, or of a file on a file system that knows no
    /// holes, is data.
    pub fn next_data(&mut self, offset: u64) -> Result<Range<u64>, Failure> {
        if !(self.known[0]..self.known[2]).contains(&offset) {
            self.known = self.ask(offset).map_err(|error| {
                Failure::io(self.file.path(), &format!("cannot look for holes at byte {offset}"), &error)
            })?;
        }
        Ok(self.known[1].max(offset)..self.known[2])
    }

    fn ask(&self, offset: u64) -> io::Result<[u64; 3]> {
        let size = self.file.size();
        if self.file.is_block_device() || offset >= size {
            return Ok([offset, offset, size.max(offset)]);
        }
        let data = match seek(self.file.as_file(), SeekFrom::Data(offset)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok([offset, size, size]),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok([offset, offset, size]),
            Err(error) => return Err(error.into()),
        };
        Ok([offset, data, seek(self.file.as_file(), SeekFrom::Hole(data))?])
    }
}

/// Turns the holes under the data extents of a walk into zeros. Compressed clusters stay as they are.
pub struct SkipHoles<'a, I> {
    extents: I,
    /// One for each layer.
    holes: Vec<Holes<'a>>,
    /// What is left of the extent in hand.
    rest: Option<Extent>,
}

impl<'a, I: Iterator<Item = Result<Extent, Failure>>> SkipHoles<'a, I> {
    /// `files[n]` is where the data of layer `n` lies. What lies in other files stays as it is.
    pub fn new(extents: I, files: impl IntoIterator<Item = &'a ImageFile>) -> Self {
        SkipHoles { extents, holes: files.into_iter().map(Holes::new).collect(), rest: None }
    }

    fn split(&mut self, extent: Extent) -> Result<Extent, Failure> {
        let (Content::Data(Stored::Plain { offset }), Some(holes)) =
            (extent.content, self.holes.get_mut(usize::from(extent.layer)))
        else {
            return Ok(extent);
        };
        let data = holes.next_data(offset)?;
        let (length, content) = if data.start == offset {
            (data.end - offset, extent.content)
        } else {
            (data.start - offset, Content::Zero)
        };
        let length = if length == 0 { extent.length } else { length.min(extent.length) };
        if length < extent.length {
            self.rest = Some(extent.without_front(length));
        }
        Ok(Extent { length, content, ..extent })
    }
}

impl<I: Iterator<Item = Result<Extent, Failure>>> Iterator for SkipHoles<'_, I> {
    type Item = Result<Extent, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let extent = match self.rest.take() {
            Some(rest) => rest,
            None => match self.extents.next()? {
                Ok(extent) => extent,
                Err(failure) => return Some(Err(failure)),
            },
        };
        Some(self.split(extent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    /// A file of `size` bytes that has data only in these ranges.
    fn sparse(directory: &tempfile::TempDir, name: &str, size: u64, data: &[Range<u64>]) -> ImageFile {
        let path = directory.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(size).unwrap();
        for range in data {
            let length = usize::try_from(range.end - range.start).unwrap();
            file.write_all_at(&vec![7; length], range.start).unwrap();
        }
        ImageFile::open(&path).unwrap()
    }

    /// Extents of these lengths, layers and contents, each beginning where the one before ends.
    fn in_a_row(extents: &[(u64, u16, Content)]) -> Vec<Extent> {
        let mut end = 0;
        let extent = |&(length, layer, content)| {
            end += length;
            Extent { start: end - length, length, layer, content }
        };
        extents.iter().map(extent).collect()
    }

    #[test]
    fn only_what_lies_in_a_hole_of_its_own_file_becomes_zeros() {
        let directory = tempfile::tempdir().unwrap();
        let upper = sparse(&directory, "upper", 4 * MIB, &[MIB..MIB + 64 * KIB, 3 * MIB..4 * MIB]);
        let lower = sparse(&directory, "lower", 2 * MIB, &[]);
        let data = Content::at;
        let extents = in_a_row(&[
            (2 * MIB, 0, data(512 * KIB)),
            (MIB, 1, data(512 * KIB)),
            (128 * KIB, 0, data(3 * MIB - 64 * KIB)),
            (512, 0, data(MIB + 512)),
            (512, 0, Content::Absent),
            // The file has become shorter: whoever reads it must see that.
            (512, 1, data(2 * MIB)),
            (512, 1, data(2 * MIB + 512)),
            (512, 2, data(0)),
        ]);
        let skipped: Vec<Extent> =
            SkipHoles::new(extents.into_iter().map(Ok), [&upper, &lower]).collect::<Result<_, _>>().unwrap();
        let expected = in_a_row(&[
            (512 * KIB, 0, Content::Zero),
            (64 * KIB, 0, data(MIB)),
            (2 * MIB - 576 * KIB, 0, Content::Zero),
            (MIB, 1, Content::Zero),
            (64 * KIB, 0, Content::Zero),
            (64 * KIB, 0, data(3 * MIB)),
            (512, 0, data(MIB + 512)),
            (512, 0, Content::Absent),
            (512, 1, data(2 * MIB)),
            (512, 1, data(2 * MIB + 512)),
            (512, 2, data(0)),
        ]);
        assert_eq!(skipped, expected);
    }
}
