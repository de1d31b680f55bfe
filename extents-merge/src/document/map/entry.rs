//! An entry of a map that is followed: one that holds data must say in which file, and how.

use serde::{Deserialize, Deserializer};

use crate::document::map::file_state::FileState;
use crate::document::map::reader::end;
use crate::extent::stored::{CompressedCluster, Compression, Stored};
use crate::failure::Failure;

/// The largest cluster of QCOW2: 2 MiB.
const MAX_CLUSTER: u32 = 2 << 20;

/// The keys of an entry that lead to its bytes. Others may hold what they like.
#[derive(Deserialize)]
#[serde(expecting = "an entry of a map")]
pub(super) struct Entry {
    /// Guest offset.
    start: u64,
    /// Bytes.
    length: u64,
    /// Whether it reads as zeros.
    zero: Option<bool>,
    /// Whether it is a part of a compressed cluster.
    compressed: Option<bool>,
    /// File offset.
    offset: Option<u64>,
    filename: Option<String>,
    /// Bytes of the disk; the first entry says them, if any does.
    pub(super) virtual_size: Option<u64>,
    /// In which state the file is described.
    #[serde(default, deserialize_with = "said")]
    state: Option<Box<FileState>>,
    /// Those of a [`CompressedCluster`].
    compression: Option<Compression>,
    host_length: Option<u64>,
    cluster_size: Option<u32>,
    skip: Option<u64>,
}

/// What is said of a file, and be it that there is nothing to say: `null` is no state.
fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Box<FileState>>, D::Error> {
    Box::deserialize(value).map(Some)
}

/// A guest range and where its bytes are.
#[derive(Debug, PartialEq, Eq)]
pub struct Located {
    /// Guest offset of the first byte.
    pub start: u64,
    /// Guest offset after the last byte.
    pub end: u64,
    /// Where the bytes are; none if they are zero, or if there are none.
    pub data: Option<Place>,
}

/// A place in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the file.
    pub filename: String,
    /// In which state the map describes it, if this entry says so: the first one that names the file does, if any does.
    pub state: Option<Box<FileState>>,
    /// Where in the file, and how.
    pub stored: Stored,
}

/// Checks an entry by itself. `position` is where the entry before it ended.
pub(super) fn check(
    entry: Entry,
    position: u64,
    damaged: impl Fn(&str) -> Failure,
) -> Result<Located, Failure> {
    let start = entry.start;
    let end = end(start, entry.length).map_err(|what| damaged(&what))?;
    if start != position {
        let what = if start > position { "a gap" } else { "an overlap" };
        return Err(Failure::damaged(format!(
            "the map has {what}: found an entry at {start}, expected {position}"
        )));
    }
    let data = if entry.zero == Some(true) || start == end { None } else { Some(data(entry, start, end)?) };
    Ok(Located { start, end, data })
}

/// Where the data of the entry `[start, end)` is.
fn data(entry: Entry, start: u64, end: u64) -> Result<Place, Failure> {
    let unsaid = |what: &str| {
        Failure::unsupported(format!(
            "the map does not say where the data at {start} is: found no {what}, expected one as vhd-headers and \
             qcow-headers write it with --output map"
        ))
    };
    let filename = entry.filename.ok_or_else(|| unsaid("filename"))?;
    let state = entry.state;
    let offset = entry.offset.ok_or_else(|| unsaid("offset"))?;
    let Some(compression) = entry.compression else {
        if entry.compressed == Some(true) {
            return Err(unsaid("compression"));
        }
        return Ok(Place { filename, state, stored: Stored::Plain { offset } });
    };
    let cluster_size = entry.cluster_size.ok_or_else(|| unsaid("cluster_size"))?;
    let host_length = entry.host_length.ok_or_else(|| unsaid("host_length"))?;
    if cluster_size == 0 || cluster_size > MAX_CLUSTER || host_length == 0 {
        return Err(Failure::damaged(format!(
            "the compressed cluster at {start} cannot be: found {host_length} bytes that become {cluster_size}, \
             expected at least 1 and at most {MAX_CLUSTER}"
        )));
    }
    let skip = entry.skip.unwrap_or(0);
    let shown = skip.saturating_add(end - start);
    if shown > u64::from(cluster_size) {
        return Err(Failure::damaged(format!(
            "the entry at {start} shows more than its cluster has: found {shown} bytes, expected at most {cluster_size}"
        )));
    }
    let cluster = CompressedCluster { offset, host_length, cluster_size, skip, compression };
    Ok(Place { filename, state, stored: Stored::Compressed(cluster) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str, position: u64) -> Result<Located, Failure> {
        check(serde_json::from_str(json).unwrap(), position, |what| Failure::damaged(what))
    }

    fn status(json: &str, position: u64) -> u8 {
        checked(json, position).map_or_else(|failure| failure.status() as u8, |_| 0)
    }

    #[test]
    fn entries_that_cannot_be_are_damage_and_those_that_say_too_little_are_unsupported() {
        for (json, expected) in [
            (r#"{"start":0,"length":512,"zero":true}"#, 3),
            (r#"{"start":512,"length":512,"zero":true}"#, 0),
            (r#"{"start":1024,"length":512,"zero":true}"#, 3),
            (r#"{"start":512,"length":18446744073709551615,"zero":true}"#, 3),
            (r#"{"start":512,"length":512,"data":true,"zero":false,"offset":0}"#, 4),
            (r#"{"start":512,"length":512,"data":true,"zero":false,"filename":"x"}"#, 4),
            (r#"{"start":512,"length":512,"offset":0,"filename":"x"}"#, 0),
            (r#"{"start":512,"length":512,"offset":0,"filename":"x","data":false,"zero":false}"#, 0),
            (r#"{"start":512,"length":512,"data":false,"zero":false}"#, 4),
            (r#"{"start":512,"length":512,"offset":0,"filename":"x","compressed":true}"#, 4),
        ] {
            assert_eq!(status(json, 512), expected, "{json}");
        }
    }

    #[test]
    fn a_state_is_said_whole_or_not_at_all() {
        let state = r#""st_size":"1","st_dev":"2","st_ino":"3","st_mtime_ns":"4","st_ctime_ns":"5""#;
        let json =
            |state: &str| format!(r#"{{"start":0,"length":512,"offset":0,"filename":"x","state":{state}}}"#);
        let place = checked(&json(&format!("{{{state}}}")), 0).unwrap().data.unwrap();
        let expected = FileState::File { size: 1, device: 2, inode: 3, modified: (0, 4), changed: (0, 5) };
        assert_eq!(place.state.as_deref(), Some(&expected));
        for wrong in ["null", "1", "[]", "{}", r#"{"st_size":"1"}"#, &format!("{{{state},{state}}}")] {
            assert!(serde_json::from_str::<Entry>(&json(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_gap_is_told_from_an_overlap() {
        for (start, what) in [(0, "the map has an overlap: found"), (1024, "the map has a gap: found")] {
            let json = format!(r#"{{"start":{start},"length":512,"zero":true}}"#);
            assert!(checked(&json, 512).unwrap_err().to_string().starts_with(what), "{start}");
        }
    }

    #[test]
    fn a_compressed_entry_lies_inside_its_cluster() {
        for (cluster, expected) in [
            (r#""cluster_size":65536,"host_length":1000,"skip":65024"#, 0),
            (r#""cluster_size":65536,"host_length":1000,"skip":65025"#, 3),
            (r#""cluster_size":65536,"host_length":1000,"skip":4294967295"#, 3),
            (r#""cluster_size":0,"host_length":1000"#, 3),
            (r#""cluster_size":2097152,"host_length":1000"#, 0),
            (r#""cluster_size":2097153,"host_length":1000"#, 3),
            (r#""cluster_size":65536,"host_length":0"#, 3),
            (r#""cluster_size":65536"#, 4),
            (r#""host_length":1000"#, 4),
        ] {
            let json = format!(
                r#"{{"start":0,"length":512,"offset":0,"filename":"x","compression":"zlib",{cluster}}}"#
            );
            assert_eq!(status(&json, 0), expected, "{json}");
        }
    }
}
