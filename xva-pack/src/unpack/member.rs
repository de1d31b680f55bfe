//! A member of a tar, as its headers say it.

use crate::unpack::finding::{Finding, Severity};

/// A member whose data comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Name, without a leading `./`.
    pub(crate) name: String,
    /// Bytes of its data, before padding.
    pub(crate) size: u64,
    /// Byte of the archive at which its first header begins.
    pub(crate) byte: u64,
    /// Not a directory, link or device.
    pub(crate) is_file: bool,
}

impl Member {
    /// A finding about this member.
    pub(crate) fn finding(&self, severity: Severity, what: impl Into<String>) -> Finding {
        Finding { severity, byte: self.byte, member: self.name.clone(), what: what.into() }
    }
}

/// What may follow where nothing is expected any more.
pub(crate) enum Beyond {
    /// A member all the same.
    Member(Member),
    /// A record that is neither zero nor a header.
    Junk,
    /// The end of the input.
    End,
}
