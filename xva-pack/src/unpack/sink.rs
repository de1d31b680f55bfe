//! Who takes the bytes of the disks.

use extents::failure::Failure;

/// Where a block is, in its disk and in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace<'a> {
    /// The directory of its disk in the archive.
    pub prefix: &'a str,
    /// Guest byte at which it begins.
    pub offset: u64,
    /// Bytes that it has; 0 for one that only keeps a connection alive.
    pub size: u64,
    /// Byte of the archive at which its data begins.
    pub byte: u64,
}

/// Takes the bytes of disks, one disk after the other.
pub trait Sink {
    /// Whether the bytes of this disk are to be read and checked, or passed over.
    fn wants(&self, prefix: &str) -> bool;
    /// The metadata says that the disk `prefix` will come, of which `size` bytes are wanted. Nothing has begun yet.
    fn expect(&mut self, _prefix: &str, _size: u64) -> Result<(), Failure> {
        Ok(())
    }
    /// A disk begins that is wanted. `size` is what will be written of it, in bytes, if that is known yet.
    fn begin(&mut self, prefix: &str, size: Option<u64>) -> Result<(), Failure>;
    /// A block comes, of a disk that is wanted or not, before its bytes are read or passed over.
    fn block(&mut self, _: &BlockPlace<'_>) -> Result<(), Failure> {
        Ok(())
    }
    /// Bytes at a guest offset that never decreases; what is left out between them is zero.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure>;
    /// The disk has `size` bytes; `whole` if every block came and was sound.
    fn end(&mut self, size: u64, whole: bool) -> Result<(), Failure>;
    /// How far the work is, and how far it will go if that is known.
    fn progress(&mut self, done: u64, total: Option<u64>);
}
