//! Arrays that cover a disk: `qemu-img map --output=json` (`start`, `length`, `zero`) and `nbdinfo --map --json`
//! (`offset`, `length`, `type`).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::document::union::Adder;

/// Bit of an NBD `base:allocation` status that says that a range reads as zeros.
const NBD_STATE_ZERO: u64 = 2;

/// The statuses of `base:allocation` as nbdinfo describes them, by number. Those of other contexts mean other things: a
/// depth of 2 in `qemu:allocation-depth` is data.
const NBD_DESCRIPTIONS: [&str; 4] = ["data", "hole", "zero", "hole,zero"];

/// Gaps that may be open at a time while an unsorted map is read: about 40 MiB.
const MAX_GAPS: usize = 1 << 20;

/// Adds a map, and yields the size of the disk: the end of its last entry.
///
/// Entries may come in any order, and may overlap: a range is data where any of them says so. A byte that no entry
/// speaks of is damage.
pub(crate) fn visit<'de, A: SeqAccess<'de>>(add: &mut Adder<'_>, mut seq: A) -> Result<u64, A::Error> {
    let mut covered = Covered::default();
    while let Some(Entry { start, end, data }) = seq.next_element()? {
        add.check_size(end).map_err(A::Error::custom)?;
        if data {
            add.add_bytes(start, end).map_err(A::Error::custom)?;
        }
        if !covered.add(start, end) {
            let sentence =
                format!("an unsorted map with more than {MAX_GAPS} gaps: expected ascending entries");
            return Err(A::Error::custom(add.refuse(sentence)));
        }
    }
    match covered.0.first_key_value() {
        None => Ok(0),
        Some((0, &size)) if covered.0.len() == 1 => Ok(size),
        Some((&start, &end)) => {
            let gap = if start == 0 { end } else { 0 };
            Err(A::Error::custom(format!("the map has a gap: found no entry for byte {gap}")))
        }
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
        let mut description: Option<String> = None;
        while let Some(key) = map.next_key::<Key>()? {
            let known = match key {
                Key::Start => start.replace(map.next_value::<u64>()?).map(|_| "start"),
                Key::Offset => offset.replace(map.next_value::<u64>()?).map(|_| "offset"),
                Key::Length => length.replace(map.next_value::<u64>()?).map(|_| "length"),
                Key::Type => kind.replace(map.next_value::<u64>()?).map(|_| "type"),
                Key::Zero => zero.replace(map.next_value::<bool>()?).map(|_| "zero"),
                Key::Description => description.replace(map.next_value()?).map(|_| "description"),
                Key::Other => map.next_value::<IgnoredAny>().map(|_| None)?,
            };
            if let Some(key) = known {
                return Err(A::Error::duplicate_field(key));
            }
        }
        // An entry of qemu-img has an offset too: that of the file.
        let (start, data) = match (start, offset, kind) {
            (Some(start), _, _) => (start, zero != Some(true)),
            (None, Some(offset), Some(kind)) => {
                let known = usize::try_from(kind).ok().and_then(|kind| NBD_DESCRIPTIONS.get(kind));
                if known.is_none() || description.is_some_and(|found| Some(&found.as_str()) != known) {
                    return Err(A::Error::custom(format!(
                        "not a map of base:allocation: found type {kind}, expected 0 data, 1 hole, 2 zero or 3 hole,zero"
                    )));
                }
                (offset, kind & NBD_STATE_ZERO == 0)
            }
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
    Description,
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
                    "description" => Key::Description,
                    _ => Key::Other,
                })
            }
        }
        deserializer.deserialize_identifier(KeyVisitor)
    }
}
