//! Arrays that cover a disk: `qemu-img map --output=json` (`start`, `length`, `zero`) and `nbdinfo --map --json`
//! (`offset`, `length`, `type`).

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::{Deserialize, Deserializer};

use crate::document::collected::Collected;
use crate::document::map::reader::{MapReader, end};
use crate::extent::length::in_memory;
use crate::failure::Failure;

/// Bit of an NBD `base:allocation` status that says that a range reads as zeros.
const NBD_STATE_ZERO: u64 = 2;

/// The statuses of `base:allocation` as nbdinfo describes them, by number. Those of other contexts mean other things: a
/// depth of 2 in `qemu:allocation-depth` is data.
const NBD_DESCRIPTIONS: [&str; 4] = ["data", "hole", "zero", "hole,zero"];

/// Gaps that may be open at a time while an unsorted map is read: about 40 MiB.
const MAX_GAPS: usize = 1 << 20;

/// Adds the map in `input`, and yields the size of the disk: the end of its last entry.
///
/// Entries may come in any order, and may overlap: a range is data where any of them says so. A byte that no entry
/// speaks of is damage.
pub(crate) fn read(input: impl BufRead, collected: &mut Collected) -> Result<u64, Failure> {
    let mut map = MapReader::new(input);
    let mut covered = Covered::default();
    while let Some(entry) = map.next_entry::<Entry>()? {
        let (start, end, data) = entry.range().map_err(|what| map.damaged(&what))?;
        collected.check_size(end).map_err(Failure::damaged)?;
        if data {
            collected.add_bytes(start, end).map_err(Failure::damaged)?;
        }
        if !covered.add(start, end) {
            return Err(Failure::unsupported(format!(
                "an unsorted map with more than {MAX_GAPS} gaps: expected ascending entries"
            )));
        }
    }
    match covered.0.first_key_value() {
        None => Ok(0),
        Some((0, &size)) if covered.0.len() == 1 => Ok(size),
        Some((&start, &end)) => {
            let gap = if start == 0 { end } else { 0 };
            Err(Failure::damaged(format!("the map has a gap: found no entry for byte {gap}")))
        }
    }
}

/// The keys of an entry that matter. Others may hold what they like.
#[derive(Deserialize)]
#[serde(expecting = "an entry of qemu-img map or nbdinfo --map")]
struct Entry {
    /// Guest offset, as qemu-img calls it.
    #[serde(default, deserialize_with = "not_null")]
    start: Option<u64>,
    /// Guest offset as nbdinfo calls it; beside a `start`, that of the file.
    #[serde(default, deserialize_with = "not_null")]
    offset: Option<u64>,
    /// Bytes.
    length: u64,
    /// Whether it reads as zeros, says qemu-img.
    #[serde(default, deserialize_with = "not_null")]
    zero: Option<bool>,
    /// Status of `base:allocation`, says nbdinfo.
    #[serde(default, deserialize_with = "not_null", rename = "type")]
    kind: Option<u64>,
    /// The same in words.
    #[serde(default, deserialize_with = "not_null")]
    description: Option<String>,
}

/// A value that is there is not null: half an entry of one dialect must not pass for one of the other.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Entry {
    /// Guest bytes `[start, end)`, and whether they may be anything but zeros.
    fn range(&self) -> Result<(u64, u64, bool), String> {
        let (start, data) = match (self.start, self.offset) {
            (Some(start), _) => (start, self.zero != Some(true)),
            (None, Some(offset)) => (offset, self.is_nbd_data()?),
            (None, None) => return Err("found no start".to_owned()),
        };
        Ok((start, end(start, self.length)?, data))
    }

    fn is_nbd_data(&self) -> Result<bool, String> {
        let kind = self.kind.ok_or("found neither start nor type")?;
        let known = NBD_DESCRIPTIONS.get(in_memory(kind));
        let is_another = |found: &str| Some(&found) != known;
        if known.is_none() || self.description.as_deref().is_some_and(is_another) {
            return Err(format!(
                "not of base:allocation: found type {kind}, expected 0 data, 1 hole, 2 zero or 3 hole,zero"
            ));
        }
        Ok(kind & NBD_STATE_ZERO == 0)
    }
}

/// The bytes that some entry speaks of: the end of each run by its start, disjoint and not touching.
#[derive(Default)]
struct Covered(BTreeMap<u64, u64>);

impl Covered {
    /// Adds `[start, end)`; false when there are too many gaps to remember.
    fn add(&mut self, mut start: u64, mut end: u64) -> bool {
        if start == end {
            return true;
        }
        // The last run that begins at or before the end, as long as it touches.
        while let Some((&run_start, &run_end)) = self.0.range(..=end).next_back()
            && run_end >= start
        {
            self.0.remove(&run_start);
            start = start.min(run_start);
            end = end.max(run_end);
        }
        self.0.insert(start, end);
        self.0.len() <= MAX_GAPS
    }
}
