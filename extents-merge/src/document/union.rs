//! Documents, read: xapi's two forms, `qemu-img map --output=json` and `nbdinfo --map --json`, told apart by the JSON
//! itself, and never held: what they say goes into a [`Union`] entry by entry.

use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::document::failed_stage::Upstream;
use crate::document::json_limits::JsonLimits;
use crate::extent::rescale::{bytes_of, touched, units};
use crate::extent::unit_set::UnitSet;
use crate::failure::Failure;

/// What one or more documents of the same disk say together, in units of 2^`unit_bits` bytes.
#[derive(Debug)]
pub struct Union {
    unit_bits: u32,
    /// Bytes of the disk, and the document that said so first.
    size: Option<(u64, PathBuf)>,
    data: UnitSet,
}

impl Union {
    /// Nothing read yet.
    pub fn new(unit_bits: u32) -> Self {
        Union { unit_bits, size: None, data: UnitSet::new() }
    }

    /// Bytes of the disk; none before the first document.
    pub fn virtual_size(&self) -> Option<u64> {
        self.size.as_ref().map(|&(size, _)| size)
    }

    /// The units that may hold data.
    pub fn data(&self) -> &UnitSet {
        &self.data
    }

    /// Gives the units away.
    pub fn into_data(self) -> UnitSet {
        self.data
    }

    /// Reads a document to its end, and adds it. `name` stands in front of errors.
    ///
    /// Status 3 for anything that is not a whole, sound document of a known dialect, and for a disk of another size;
    /// status 4 for a disk with more than [`UnitSet::MAX_UNITS`] units; status 1 for a failed read; and the status
    /// of the filter before, where that one failed. The input need not be buffered. After a failure
    /// the union holds part of that document, and must not be used.
    pub fn read(&mut self, input: impl Read, name: &Path) -> Result<(), Failure> {
        let mut add = Adder { unit_bits: self.unit_bits, data: &mut self.data, unsupported: None };
        let mut input = Upstream::new(input);
        let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(
            64 << 10,
            JsonLimits::new(&mut input),
        ));
        let read = json.deserialize_any(AnyDialect(&mut add)).and_then(|size| json.end().map(|()| size));
        let unsupported = add.unsupported.take();
        match read {
            Ok(size) => self.agree_on_size(size, name),
            Err(error) => {
                let failure = unsupported.or_else(|| input.failure()).unwrap_or_else(|| sentence(&error));
                Err(failure.in_file(name))
            }
        }
    }

    fn agree_on_size(&mut self, size: u64, name: &Path) -> Result<(), Failure> {
        match &self.size {
            None => self.size = Some((size, name.to_path_buf())),
            Some((first, _)) if *first == size => {}
            Some((first, by)) => {
                return Err(Failure::damaged(format!(
                    "is about another disk: found virtual_size {size}, expected {first} as in {}",
                    by.display()
                ))
                .in_file(name));
            }
        }
        Ok(())
    }
}

/// Where the visitors put what they read.
pub(crate) struct Adder<'a> {
    unit_bits: u32,
    data: &'a mut UnitSet,
    /// A failure of status 4, which serde's errors cannot carry.
    unsupported: Option<Failure>,
}

impl Adder<'_> {
    /// Fails when a disk of `size` bytes has more units than the set holds.
    pub(crate) fn check_size(&mut self, size: u64) -> Result<(), String> {
        if units(size, self.unit_bits) <= UnitSet::MAX_UNITS {
            return Ok(());
        }
        let unit_bits = self.unit_bits;
        Err(self.refuse(format!(
            "a disk of {size} bytes has too many units of 2^{unit_bits} bytes: expected at most 2^36"
        )))
    }

    /// Ends the reading with status 4, when the caller passes the sentence on as its error.
    pub(crate) fn refuse(&mut self, sentence: String) -> String {
        self.unsupported = Some(Failure::unsupported(sentence.as_str()));
        sentence
    }

    /// Adds the guest bytes `[start, end)`, rounded outwards.
    pub(crate) fn add_bytes(&mut self, start: u64, end: u64) -> Result<(), String> {
        if let Some((first, last)) = touched(start, end, self.unit_bits) {
            self.data.insert(first, last);
        }
        if self.data.is_too_large() {
            return Err(self.refuse("too many scattered clusters to hold: expected larger ones".to_owned()));
        }
        Ok(())
    }

    /// Adds the clusters `first..=last`, cut at the end of the disk.
    pub(crate) fn add_clusters(&mut self, run: (u64, u64), bits: u32, size: u64) -> Result<(), String> {
        let (first, last) = run;
        if first > last {
            return Err(format!("a run ends before it begins: found [{first},{last}]"));
        }
        let Some((start, end)) = bytes_of(first, last, bits, size) else {
            let clusters = units(size, bits);
            return Err(format!(
                "a run starts past the disk: found cluster {first}, expected less than {clusters}"
            ));
        };
        self.add_bytes(start, end)
    }
}

/// Yields the virtual size.
struct AnyDialect<'a, 'b>(&'a mut Adder<'b>);

impl<'de> Visitor<'de> for AnyDialect<'_, '_> {
    type Value = u64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an extents document, or an array from qemu-img map or nbdinfo --map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<u64, A::Error> {
        crate::document::dialect::intervals::visit(self.0, map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<u64, A::Error> {
        crate::document::dialect::map_array::visit(self.0, seq)
    }
}

fn sentence(error: &serde_json::Error) -> Failure {
    match error.classify() {
        Category::Io if error.io_error_kind() == Some(ErrorKind::InvalidData) => {
            Failure::damaged(format!("not an extents document: {error}"))
        }
        Category::Io => Failure::system(format!("cannot read: {error}")),
        Category::Eof if error.line() <= 1 && error.column() == 0 => {
            Failure::damaged("no extents document: found nothing, expected JSON")
        }
        Category::Eof => Failure::damaged(format!("the document is cut off: {error}")),
        Category::Syntax => Failure::damaged(format!("not a JSON document: {error}")),
        Category::Data => Failure::damaged(format!("not an extents document: {error}")),
    }
}
