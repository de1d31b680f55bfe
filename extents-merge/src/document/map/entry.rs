//! One entry of a map, as it stands in the JSON.

use serde::Deserialize;

use crate::extent::stored::Compression;

/// The keys that matter; others are left out of account. Which of them there must be depends on the dialect.
#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "an entry of qemu-img map or nbdinfo --map")]
pub(crate) struct Entry {
    /// Guest offset; nbdinfo calls it `offset`.
    pub(crate) start: Option<u64>,
    pub(crate) length: Option<u64>,
    /// Whether it reads as zeros.
    pub(crate) zero: Option<bool>,
    pub(crate) compressed: Option<bool>,
    /// File offset, in entries that have a `start`.
    pub(crate) offset: Option<u64>,
    pub(crate) filename: Option<String>,
    /// What follows is of compressed clusters alone.
    pub(crate) host_length: Option<u64>,
    pub(crate) compression: Option<Compression>,
    pub(crate) cluster_size: Option<u32>,
    pub(crate) skip: Option<u64>,
    /// What follows is of nbdinfo alone.
    #[serde(rename = "type")]
    pub(crate) kind: Option<u64>,
    pub(crate) description: Option<String>,
}

impl Entry {
    /// Guest offset after the last byte of an entry that begins at `start`.
    pub(crate) fn end(&self, start: u64) -> Result<u64, String> {
        let length = self.length.ok_or("found no length")?;
        start.checked_add(length).ok_or_else(|| format!("too long: found {length} bytes at {start}"))
    }
}
