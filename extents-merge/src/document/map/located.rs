//! A map, followed to where the bytes are: every entry that holds data must say in which file, and how.

use std::io::{BufReader, Read};

use serde::{Deserialize, Deserializer};

use crate::document::failed_stage::Upstream;
use crate::document::map::file_state::FileState;
use crate::document::map::reader::{MapReader, end};
use crate::extent::stored::{CompressedCluster, Compression, Stored};
use crate::failure::Failure;

/// A pipe holds as much.
const BUFFER: usize = 64 << 10;

/// The largest cluster of QCOW2: 2 MiB.
const MAX_CLUSTER: u32 = 2 << 20;

/// The keys of an entry that lead to its bytes. Others may hold what they like.
#[derive(Deserialize)]
#[serde(expecting = "an entry of a map")]
struct Entry {
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
    virtual_size: Option<u64>,
    /// In which state the file is described.
    #[serde(default, deserialize_with = "said")]
    state: Option<Box<FileState>>,
    /// Those of a [`CompressedCluster`].
    compression: Option<Compression>,
    host_length: Option<u64>,
    cluster_size: Option<u32>,
    skip: Option<u64>,
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

/// What is said of a file, and be it that there is nothing to say: `null` is no state.
fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Box<FileState>>, D::Error> {
    Box::deserialize(value).map(Some)
}

/// The entries of a map, from the first on without gap or overlap.
#[derive(Debug)]
pub struct LocatedMap<R> {
    map: MapReader<BufReader<Upstream<R>>>,
    /// Guest offset after the last entry.
    position: u64,
    /// What the map says of the disk.
    virtual_size: Option<u64>,
}

impl<R: Read> LocatedMap<R> {
    /// Follows the map in `input`, which need not be buffered.
    pub fn new(input: R) -> Self {
        let map = MapReader::new(BufReader::with_capacity(BUFFER, Upstream::new(input)));
        LocatedMap { map, position: 0, virtual_size: None }
    }

    /// Bytes of the disk, once the map has ended.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that the disk will have when the map has ended, if an entry that was read says so.
    pub fn virtual_size(&self) -> Option<u64> {
        self.virtual_size
    }

    /// The next range; none when the map is closed and nothing follows.
    ///
    /// Status 3 for what is no map, a gap or an overlap, and for numbers that cannot be; status 4 if the map does not say
    /// where the data is. A map that breaks off because the filter before failed ends with the status of that one.
    pub fn next_range(&mut self) -> Result<Option<Located>, Failure> {
        self.follow().map_err(|failure| self.map.get_mut().get_mut().failure().unwrap_or(failure))
    }

    fn follow(&mut self) -> Result<Option<Located>, Failure> {
        let Some(entry) = self.map.next_entry::<Entry>()? else {
            return self.check_size(|end, size| end == size).map(|()| None);
        };
        self.virtual_size = self.virtual_size.or(entry.virtual_size);
        let located = check(entry, self.position, |what| self.map.damaged(what))?;
        self.position = located.end;
        self.check_size(|end, size| end <= size)?;
        Ok(Some(located))
    }

    /// Status 3 where the map does not end where it says that the disk does.
    fn check_size(&self, fits: impl Fn(u64, u64) -> bool) -> Result<(), Failure> {
        match self.virtual_size {
            Some(size) if !fits(self.position, size) => Err(Failure::damaged(format!(
                "the map is not that of its disk: found entries up to {}, expected virtual_size {size}",
                self.position
            ))),
            _ => Ok(()),
        }
    }
}

/// Checks an entry by itself. `position` is where the entry before it ended.
fn check(entry: Entry, position: u64, damaged: impl Fn(&str) -> Failure) -> Result<Located, Failure> {
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

    fn read(json: &str) -> Result<u64, Failure> {
        let mut map = LocatedMap::new(json.as_bytes());
        while map.next_range()?.is_some() {}
        assert!(map.next_range()?.is_none());
        Ok(map.position())
    }

    #[test]
    fn the_status_of_the_filter_before_is_passed_on() {
        for begun in ["", "[", r#"[{"start":0,"length":512,"zero":true}"#, r#"[{"start":0,"len"#] {
            let failure = read(&format!("{begun}{{\"exit_status\":4")).unwrap_err();
            assert_eq!(failure.status() as u8, 4, "{failure}");
        }
    }

    #[test]
    fn an_array_is_read_to_its_end_and_nothing_may_follow() {
        let one = r#"{"start":0,"length":512,"zero":true,"x":[{"]":1}]}"#;
        let two = r#"{"start":512,"length":512,"zero":true}"#;
        assert_eq!(read("[]"), Ok(0));
        assert_eq!(read(&format!(" [ {one} ,\n{two}\t]\n")), Ok(1024));
        for bad in [
            String::new(),
            "[".to_owned(),
            "{}".to_owned(),
            "]".to_owned(),
            "[,]".to_owned(),
            "[1]".to_owned(),
            format!("[{one}"),
            format!("[{one},"),
            format!("[{one},]"),
            format!("[{one}{two}]"),
            format!("[{one};{two}]"),
            format!("({one}]"),
            format!("[{one},{two}"),
            format!("[{one}]]"),
            format!("[{one},{one}]"),
            format!("[{two}]"),
            "[{\"start\":0,\"length\":512,\"zero\":tr".to_owned(),
            format!("[{{\"start\":0,\"filename\":\"{}\"}}]", "x".repeat(70_000)),
        ] {
            assert_eq!(read(&bad).map_err(|failure| failure.status() as u8), Err(3), "{bad:.80}");
        }
    }

    #[test]
    fn a_map_ends_where_it_says_that_its_disk_does() {
        let entry = |number: u64, said: &str| {
            format!(r#"{{"start":{},"length":512,"zero":true{said}}}"#, number * 512)
        };
        for (said, entries, expected) in [
            (r#","virtual_size":1024"#, 2, Ok(1024)),
            (r#","virtual_size":1023"#, 2, Err(3)),
            (r#","virtual_size":1536"#, 2, Err(3)),
            (r#","virtual_size":1024"#, 1, Err(3)),
            (r#","virtual_size":0"#, 1, Err(3)),
            (r#","virtual_size":-1"#, 1, Err(3)),
            (r#","virtual_size":18446744073709551616"#, 1, Err(3)),
            (r#","virtual_size":null"#, 1, Ok(512)),
        ] {
            let map: Vec<String> =
                (0..entries).map(|number| entry(number, if number == 0 { said } else { "" })).collect();
            let found = read(&format!("[{}]", map.join(",")));
            assert_eq!(found.map_err(|failure| failure.status() as u8), expected, "{said} {entries}");
        }
    }

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
            assert_eq!(
                read(&format!("[{}]", json(wrong))).map_err(|failure| failure.status() as u8),
                Err(3),
                "{wrong}"
            );
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
