//! `{"virtual_size":N,"cluster_bits":N,"data_clusters":[...]}`: keys in any order, runs and single numbers mixed.

use std::fmt;
use std::io::{BufReader, ErrorKind, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::document::collected::Collected;
use crate::document::json_limits::JsonLimits;
use crate::extent::rescale::MAX_UNIT_BITS;
use crate::failure::Failure;

/// Bytes that are looked at and parsed at a time.
const BUFFER: usize = 64 << 10;

/// Runs that can be held while the size and unit that they need are still to come: 16 MiB.
const MAX_EARLY_RUNS: usize = 1 << 20;

/// Adds the document that `input` begins with, after which nothing may follow, and yields its virtual size.
pub(crate) fn read(input: impl Read, collected: &mut Collected) -> Result<u64, Failure> {
    let input = BufReader::with_capacity(BUFFER, JsonLimits::new(input));
    let mut json = serde_json::Deserializer::from_reader(input);
    let read = json.deserialize_map(Document(collected)).and_then(|size| json.end().map(|()| size));
    read.map_err(|error| sentence(&error))
}

fn sentence(error: &serde_json::Error) -> Failure {
    match error.classify() {
        Category::Io if error.io_error_kind() == Some(ErrorKind::InvalidData) => {
            Failure::damaged(format!("not an extents document: {error}"))
        }
        Category::Io => Failure::system(format!("cannot read: {error}")),
        Category::Eof => Failure::damaged(format!("the document is cut off: {error}")),
        Category::Syntax => Failure::damaged(format!("not a JSON document: {error}")),
        Category::Data => Failure::damaged(format!("not an extents document: {error}")),
    }
}

/// Yields the virtual size.
struct Document<'a>(&'a mut Collected);

impl<'de> Visitor<'de> for Document<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an extents document")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<u64, A::Error> {
        add(self.0, map)
    }
}

fn add<'de, A: MapAccess<'de>>(add: &mut Collected, mut map: A) -> Result<u64, A::Error> {
    let mut virtual_size: Option<u64> = None;
    let mut cluster_bits: Option<u32> = None;
    let mut early: Option<Vec<(u64, u64)>> = None;
    let mut runs_seen = false;
    while let Some(key) = map.next_key::<String>()? {
        match key.as_str() {
            "virtual_size" => {
                let size = map.next_value()?;
                once("virtual_size", virtual_size.replace(size).is_some())?;
                add.check_size(size).map_err(A::Error::custom)?;
            }
            "cluster_bits" => {
                let bits = map.next_value()?;
                if bits > MAX_UNIT_BITS {
                    return Err(A::Error::custom(format!(
                        "cluster_bits out of range: found {bits}, expected at most {MAX_UNIT_BITS}"
                    )));
                }
                once("cluster_bits", cluster_bits.replace(bits).is_some())?;
            }
            "data_clusters" => {
                once("data_clusters", std::mem::replace(&mut runs_seen, true))?;
                if let (Some(size), Some(bits)) = (virtual_size, cluster_bits) {
                    map.next_value_seed(Runs(&mut |run| add.add_clusters(run, bits, size)))?;
                } else {
                    let runs = early.insert(Vec::new());
                    map.next_value_seed(Runs(&mut |run| keep(add, runs, run)))?;
                }
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    let size = virtual_size.ok_or_else(|| A::Error::missing_field("virtual_size"))?;
    let bits = cluster_bits.ok_or_else(|| A::Error::missing_field("cluster_bits"))?;
    if !runs_seen {
        return Err(A::Error::missing_field("data_clusters"));
    }
    for run in early.into_iter().flatten() {
        add.add_clusters(run, bits, size).map_err(A::Error::custom)?;
    }
    Ok(size)
}

fn once<E: Error>(key: &'static str, seen: bool) -> Result<(), E> {
    if seen { Err(E::duplicate_field(key)) } else { Ok(()) }
}

/// Keeps a run until the size and unit are known.
fn keep(add: &mut Collected, runs: &mut Vec<(u64, u64)>, run: (u64, u64)) -> Result<(), String> {
    let full = runs.len() == MAX_EARLY_RUNS;
    match runs.last_mut() {
        Some((_, last)) if run.0 <= run.1 && last.checked_add(1) == Some(run.0) => *last = run.1,
        _ if full => {
            return Err(add.refuse(format!(
                "more than {MAX_EARLY_RUNS} runs before virtual_size and cluster_bits: expected these first"
            )));
        }
        _ => {
            let no_memory = |_| add.pass_on(Failure::no_memory("the runs", size_of::<(u64, u64)>()));
            runs.try_reserve(1).map_err(no_memory)?;
            runs.push(run);
        }
    }
    Ok(())
}

/// The array of runs, each handed to a function.
struct Runs<'a, F>(&'a mut F);

impl<'de, F> DeserializeSeed<'de> for Runs<'_, F>
where
    F: FnMut((u64, u64)) -> Result<(), String>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F> Visitor<'de> for Runs<'_, F>
where
    F: FnMut((u64, u64)) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of [first,last] runs or cluster numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(run) = seq.next_element_seed(Run)? {
            self.0(run).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// `[first,last]` or a single number.
struct Run;

impl<'de> DeserializeSeed<'de> for Run {
    type Value = (u64, u64);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u64, u64), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Run {
    type Value = (u64, u64);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a [first,last] run or a cluster number")
    }

    fn visit_u64<E: Error>(self, cluster: u64) -> Result<(u64, u64), E> {
        Ok((cluster, cluster))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(u64, u64), A::Error> {
        let first = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let last = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        if seq.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::invalid_length(3, &self));
        }
        Ok((first, last))
    }
}
