//! Who takes the bytes of the disks.

use extents::failure::Failure;

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
    /// Bytes at a guest offset that never decreases; what is left out between them is zero.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure>;
    /// The disk has `size` bytes; `whole` if every block came and was sound.
    fn end(&mut self, size: u64, whole: bool) -> Result<(), Failure>;
    /// How far the work is, and how far it will go if that is known.
    fn progress(&mut self, done: u64, total: Option<u64>);
}
