//! The checksum member that follows every block: its suffix and its text. Only what xapi's importer reads may stand
//! here.

use clap::ValueEnum;
use sha1::{Digest, Sha1};
use twox_hash::XxHash64;

/// How blocks are checked.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// XXH64 with seed 0: xapi since 2019 (Citrix Hypervisor 8.0, XCP-ng 8.0)
    #[default]
    Xxhash,
    /// SHA-1: every host, older ones too
    Sha1,
}

impl Algorithm {
    /// What the name of the checksum member ends with, after the name of the block.
    pub fn suffix(self) -> &'static str {
        match self {
            Algorithm::Xxhash => ".xxhash",
            Algorithm::Sha1 => ".checksum",
        }
    }

    /// The content of the checksum member of `data`: upper-case hexadecimal for XXH64, lower-case for SHA-1, no
    /// newline. The importer compares it as a string.
    pub fn text(self, data: &[u8]) -> String {
        match self {
            Algorithm::Xxhash => format!("{:016X}", XxHash64::oneshot(0, data)),
            Algorithm::Sha1 => {
                use std::fmt::Write;
                Sha1::digest(data).iter().fold(String::with_capacity(40), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                })
            }
        }
    }

    /// Bytes of the text.
    pub(crate) fn text_length(self) -> usize {
        self.text(&[]).len()
    }

    /// Every kind of checksum.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Algorithm::value_variants().iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of xxhsum 0.8 and sha1sum.
    #[test]
    fn texts_are_those_that_xapi_compares() {
        let zeros = vec![0; 1 << 20];
        for (algorithm, data, text) in [
            (Algorithm::Xxhash, &zeros[..], "87D2A1B6E1163EF1"),
            (Algorithm::Xxhash, b"abc", "44BC2CF5AD770999"),
            (Algorithm::Xxhash, b"", "EF46DB3751D8E999"),
            (Algorithm::Sha1, &zeros, "3b71f43ff30f4b15b5cd85dd9e95ebc7e84eb5a3"),
            (Algorithm::Sha1, b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ] {
            assert_eq!(algorithm.text(data), text);
        }
    }

    #[test]
    fn a_kind_has_one_name_and_a_suffix_and_a_length_of_its_own() {
        for kind in Algorithm::all() {
            assert!(kind.to_possible_value().is_some());
            assert_eq!(Algorithm::all().filter(|other| other.suffix() == kind.suffix()).count(), 1);
            assert_eq!(kind.text(b"abc").len(), kind.text_length());
        }
    }
}
