//! Arrays that cover a disk: `qemu-img map --output=json` (`start`, `length`, `zero`) and `nbdinfo --map --json`
//! (`offset`, `length`, `type`).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Adder;

/// Bit of an NBD `base:allocation` status that says that a range reads as zeros.
const NBD_STATE_ZERO: u64 = 2;

/// Gaps that may be open at a time while an unsorted map is read: 16 MiB.
const MAX_GAPS: usize = 1 << 20;

/// Adds a map, and yields the size of the disk: the end of its last entry.
///
/// Entries may come in any order, and may overlap: a range is data where any of them says so. A byte that no entry
/// speaks of is damage.
pub(super) fn visit<'de, A: SeqAccess<'de>>(add: &mut Adder<'_>, mut seq: A) -> Result<u64, A::Error> {
    let mut covered = Covered::default();
    while let Some(Entry { start, end, data }) = seq.next_element()? {
        add.check_size(end).map_err(A::Error::custom)?;
        if data {
            add.add_bytes(start, end);
        }
        if !covered.add(start, end) {
            let sentence =
                format!("an unsorted map with more than {MAX_GAPS} gaps: expected ascending entries");
            return Err(A::Error::custom(add.refuse(sentence)));
        }
    }
    match covered.0.as_slice() {
        [] => Ok(0),
        [(0, size)] => Ok(*size),
        [(start, end), ..] => {
            let gap = if *start == 0 { *end } else { 0 };
            Err(A::Error::custom(format!("the map has a gap: found no entry for byte {gap}")))
        }
    }
}

/// The bytes that some entry speaks of: disjoint, ascending, not touching.
#[derive(Default)]
struct Covered(Vec<(u64, u64)>);

impl Covered {
    /// Adds `[start, end)`; false when there are too many gaps to remember.
    fn add(&mut self, start: u64, end: u64) -> bool {
        if start == end {
            return true;
        }
        // Sorted input touches the last run, or begins a new one after it.
        let from = self.0.partition_point(|&(_, run_end)| run_end < start);
        let until = from + self.0[from..].partition_point(|&(run_start, _)| run_start <= end);
        let touched = &self.0[from..until];
        let start = touched.first().map_or(start, |run| run.0.min(start));
        let end = touched.last().map_or(end, |run| run.1.max(end));
        self.0.splice(from..until, [(start, end)]);
        self.0.len() <= MAX_GAPS
    }
}

/// Guest bytes `[start, end)` of one entry.
struct Entry {
    start: u64,
    end: u64,
    data: bool,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry of qemu-img map or nbdinfo --map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let (mut start, mut offset, mut length, mut kind) = (None, None, None, None);
        let mut zero = None;
        while let Some(key) = map.next_key::<Key>()? {
            let known = match key {
                Key::Start => start.replace(map.next_value::<u64>()?).map(|_| "start"),
                Key::Offset => offset.replace(map.next_value::<u64>()?).map(|_| "offset"),
                Key::Length => length.replace(map.next_value::<u64>()?).map(|_| "length"),
                Key::Type => kind.replace(map.next_value::<u64>()?).map(|_| "type"),
                Key::Zero => zero.replace(map.next_value::<bool>()?).map(|_| "zero"),
                Key::Other => map.next_value::<IgnoredAny>().map(|_| None)?,
            };
            if let Some(key) = known {
                return Err(A::Error::duplicate_field(key));
            }
        }
        // An entry of qemu-img has an offset too: that of the file.
        let (start, data) = match (start, offset, kind) {
            (Some(start), _, _) => (start, zero != Some(true)),
            (None, Some(offset), Some(kind)) => (offset, kind & NBD_STATE_ZERO == 0),
            (None, Some(_), None) => return Err(A::Error::missing_field("type")),
            (None, None, _) => return Err(A::Error::missing_field("start")),
        };
        let length: u64 = length.ok_or_else(|| A::Error::missing_field("length"))?;
        let end = start.checked_add(length).ok_or_else(|| {
            A::Error::custom(format!("an entry is too long: found {length} bytes at {start}"))
        })?;
        Ok(Entry { start, end, data })
    }
}

/// The keys that matter, without a string for each.
enum Key {
    Start,
    Offset,
    Length,
    Type,
    Zero,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "start" => Key::Start,
                    "offset" => Key::Offset,
                    "length" => Key::Length,
                    "type" => Key::Type,
                    "zero" => Key::Zero,
                    _ => Key::Other,
                })
            }
        }
        deserializer.deserialize_identifier(KeyVisitor)
    }
}
