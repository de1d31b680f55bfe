//! The extents, read to their end before anything is written.

use extents::document::union::Union;
use extents::extent::unit_set::UnitSet;
use extents::failure::Failure;
use extents::frame::input::InputName;

use crate::xva::block::BLOCK_BITS;

/// What a sound document says.
#[derive(Debug)]
pub struct Extents {
    /// Bytes of the disk that it is about.
    pub virtual_size: u64,
    /// Its blocks of 1 MiB that may hold data.
    pub blocks: UnitSet,
}

impl Extents {
    /// Reads a document of any dialect.
    ///
    /// Status 2 when that is a terminal; otherwise as [`Union::read`].
    pub fn read(file: &InputName) -> Result<Self, Failure> {
        let union = Union::read(BLOCK_BITS, file.open("an extents document")?, file.name())?;
        Ok(Extents { virtual_size: union.virtual_size(), blocks: union.into_data() })
    }
}
