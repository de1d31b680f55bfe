//! Arrays that cover a disk: `qemu-img map --output=json` (`start`, `length`, `zero`) and `nbdinfo --map --json`
//! (`offset`, `length`, `type`).

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::document::map::entry::Entry;
use crate::document::map::reader::MapReader;
use crate::document::union_builder::UnionBuilder;
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
pub(crate) fn read(input: impl BufRead, builder: &mut UnionBuilder) -> Result<u64, Failure> {
    let mut map = MapReader::new(input);
    let mut covered = Covered::default();
    while let Some(entry) = map.next_entry()? {
        let Range { start, end, data } = range(&entry).map_err(|what| map.damaged(&what))?;
        builder.check_size(end).map_err(Failure::damaged)?;
        if data {
            builder.add_bytes(start, end).map_err(Failure::damaged)?;
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

/// Guest bytes `[start, end)` of one entry, and whether they may be anything but zeros.
struct Range {
    start: u64,
    end: u64,
    data: bool,
}

fn range(entry: &Entry) -> Result<Range, String> {
    // An entry of qemu-img has an offset too: that of the file.
    let (start, data) = match (entry.start, entry.offset) {
        (Some(start), _) => (start, entry.zero != Some(true)),
        (None, Some(offset)) => (offset, is_nbd_data(entry)?),
        (None, None) => return Err("found no start".to_owned()),
    };
    Ok(Range { start, end: entry.end(start)?, data })
}

fn is_nbd_data(entry: &Entry) -> Result<bool, String> {
    let kind = entry.kind.ok_or("found neither start nor type")?;
    let known = NBD_DESCRIPTIONS.iter().zip(0..).find(|(_, number)| *number == kind);
    let as_known = |found: &String| known.is_some_and(|(expected, _)| found == expected);
    if known.is_none() || !entry.description.as_ref().is_none_or(as_known) {
        return Err(format!(
            "not of base:allocation: found type {kind}, expected 0 data, 1 hole, 2 zero or 3 hole,zero"
        ));
    }
    Ok(kind & NBD_STATE_ZERO == 0)
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
