//! The extents, read to their end before anything is written.

use std::fs::File;
use std::path::Path;

use extents::document::union::Union;
use extents::extent::unit_set::UnitSet;
use extents::failure::Failure;
use extents::frame;

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
    /// Reads a document of any dialect; `-` is standard input.
    ///
    /// Status 2 when that is a terminal; otherwise as [`Union::read`].
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let mut union = Union::new(BLOCK_BITS);
        if file.as_os_str() == "-" {
            union.read(frame::input("an extents document")?, Path::new("standard input"))?;
        } else {
            let input = File::open(file).map_err(|error| Failure::io(file, "cannot open", &error))?;
            union.read(input, file)?;
        }
        Ok(Extents { virtual_size: union.virtual_size().unwrap_or(0), blocks: union.into_data() })
    }
}
