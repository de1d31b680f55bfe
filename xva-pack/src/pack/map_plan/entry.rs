//! One entry of a map: a guest range, and what is needed to read it.

use extents::extent::stored::{CompressedCluster, Compression};
use extents::failure::Failure;
use serde::Deserialize;

use crate::pack::files::FileNumber;
use crate::pack::plan::Form;

/// The largest cluster of QCOW2: 2 MiB.
const MAX_CLUSTER: u32 = 2 << 20;

/// An entry as it stands in the JSON. Other keys are left out of account.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Written {
    start: u64,
    length: u64,
    zero: Option<bool>,
    compressed: Option<bool>,
    offset: Option<u64>,
    filename: Option<String>,
    host_length: Option<u32>,
    compression: Option<WrittenCompression>,
    cluster_size: Option<u32>,
    skip: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenCompression {
    Zlib,
    Zstd,
}

/// What an entry means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Guest offset of the first byte.
    pub(crate) start: u64,
    /// Guest offset after the last byte.
    pub(crate) end: u64,
    /// Where the bytes are; none if they are zero, or if there are none.
    pub(crate) data: Option<Data>,
}

/// Where the bytes of an entry are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Data {
    /// The file, by the name in the map.
    pub(crate) filename: String,
    /// The same, once it is open.
    pub(crate) number: Option<FileNumber>,
    /// How they lie in it.
    pub(crate) form: Form,
}

impl Written {
    /// Checks the entry by itself. `position` is where the entry before it ended.
    ///
    /// Status 3 for a gap or an overlap, and for numbers that cannot be; status 4 if the map does not say where the
    /// data is.
    pub(crate) fn check(self, position: u64) -> Result<Entry, Failure> {
        let start = self.start;
        if start != position {
            let what = if start > position { "a gap" } else { "an overlap" };
            return Err(Failure::damaged(format!(
                "the map has {what}: found an entry at {start}, expected {position}"
            )));
        }
        let end = start.checked_add(self.length).ok_or_else(|| {
            Failure::damaged(format!("the entry at {start} is too long: found {} bytes", self.length))
        })?;
        let length = self.length;
        let data = if self.zero == Some(true) || length == 0 { None } else { Some(self.data()?) };
        if let Some(Data { form: Form::Compressed(cluster), .. }) = &data {
            let shown = cluster.skip.saturating_add(length);
            if shown > u64::from(cluster.cluster_size) {
                return Err(Failure::damaged(format!(
                    "the entry at {start} shows more than its cluster has: found {shown} bytes, expected at most {}",
                    cluster.cluster_size
                )));
            }
        }
        Ok(Entry { start, end, data })
    }

    fn data(self) -> Result<Data, Failure> {
        let start = self.start;
        let unsaid = |what: &str| {
            Failure::unsupported(format!(
                "the map does not say where the data at {start} is: found no {what}, expected one as vhd-headers and \
                 qcow-headers write it with --output map"
            ))
        };
        let filename = self.filename.ok_or_else(|| unsaid("filename"))?;
        let offset = self.offset.ok_or_else(|| unsaid("offset"))?;
        let compression = match self.compression {
            Some(WrittenCompression::Zlib) => Compression::Zlib,
            Some(WrittenCompression::Zstd) => Compression::Zstd,
            None if self.compressed == Some(true) => return Err(unsaid("compression")),
            None => return Ok(Data { filename, number: None, form: Form::Plain(offset) }),
        };
        let cluster_size = self.cluster_size.ok_or_else(|| unsaid("cluster_size"))?;
        let host_length = self.host_length.ok_or_else(|| unsaid("host_length"))?;
        if cluster_size == 0 || cluster_size > MAX_CLUSTER || host_length == 0 {
            return Err(Failure::damaged(format!(
                "the compressed cluster at {start} cannot be: found {host_length} bytes that become {cluster_size}, \
                 expected at least 1 and at most {MAX_CLUSTER}"
            )));
        }
        let skip = self.skip.unwrap_or(0);
        let cluster =
            CompressedCluster { offset, host_length: host_length.into(), cluster_size, skip, compression };
        Ok(Data { filename, number: None, form: Form::Compressed(cluster) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(json: &str, position: u64) -> u8 {
        let written: Written = serde_json::from_str(json).unwrap();
        written.check(position).map_or_else(|failure| failure.status() as u8, |_| 0)
    }

    #[test]
    fn entries_that_can_not_be_are_damage_and_those_that_say_too_little_are_unsupported() {
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
    fn a_gap_is_told_from_an_overlap() {
        for (start, what) in [(0, "the map has an overlap: found"), (1024, "the map has a gap: found")] {
            let json = format!(r#"{{"start":{start},"length":512,"zero":true}}"#);
            let written: Written = serde_json::from_str(&json).unwrap();
            assert!(written.check(512).unwrap_err().to_string().starts_with(what), "{start}");
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
