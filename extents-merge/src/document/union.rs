//! What one or more documents of the same disk say together, whatever dialect they are in.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::document::collected::Collected;
use crate::document::dialect;
use crate::extent::rescale::bytes_of;
use crate::extent::unit_set::UnitSet;
use crate::extent::{Content, Extent};
use crate::failure::Failure;

/// The union of documents, in units of a power of two bytes.
#[derive(Debug)]
pub struct Union {
    /// Bytes of the disk.
    virtual_size: u64,
    /// The document that said so first.
    first: PathBuf,
    collected: Collected,
}

impl Union {
    /// Reads the first document to its end, in units of 2^`unit_bits` bytes. `name` stands in front of errors.
    ///
    /// Status 3 for anything that is not a whole, sound document of a known dialect; status 4 for a disk with more than
    /// [`UnitSet::MAX_UNITS`] units; status 1 for a failed read; and the status of the filter before, where that one
    /// failed. The input need not be buffered.
    pub fn read(unit_bits: u32, input: impl Read, name: &Path) -> Result<Self, Failure> {
        let mut collected = Collected::new(unit_bits);
        let virtual_size = read(&mut collected, input, name)?;
        Ok(Union { virtual_size, first: name.to_path_buf(), collected })
    }

    /// Adds another document: as [`Union::read`], and status 3 for a disk of another size. After a failure the union holds
    /// part of that document, and must not be used.
    pub fn add(&mut self, input: impl Read, name: &Path) -> Result<(), Failure> {
        let found = read(&mut self.collected, input, name)?;
        if found == self.virtual_size {
            return Ok(());
        }
        Err(Failure::damaged(format!(
            "is about another disk: found virtual_size {found}, expected {} as in {}",
            self.virtual_size,
            self.first.display()
        ))
        .in_file(name))
    }

    /// Bytes of the disk.
    pub fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// The units that may hold data.
    pub fn data(&self) -> &UnitSet {
        &self.collected.data
    }

    /// Gives the units away.
    pub fn into_data(self) -> UnitSet {
        self.collected.data
    }

    /// The disk, up to guest offset `end` (exclusive), as if it were raw: its data lies at the guest's offsets.
    pub fn extents(&self, end: u64) -> impl Iterator<Item = Extent> {
        let unit_bits = self.collected.unit_bits;
        let runs = self.data().runs().filter_map(move |(first, last)| bytes_of(first, last, unit_bits, end));
        let mut position = 0;
        runs.chain([(end, end)])
            .flat_map(move |(start, stop)| {
                let gap = (std::mem::replace(&mut position, stop), start, Content::Absent);
                [gap, (start, stop, Content::at(start))]
            })
            .filter(|(from, until, _)| from < until)
            .map(|(start, until, content)| Extent { start, length: until - start, layer: 0, content })
    }
}

/// Yields the virtual size.
fn read(collected: &mut Collected, input: impl Read, name: &Path) -> Result<u64, Failure> {
    dialect::read(input, collected).map_err(|failure| failure.in_file(name))
}
