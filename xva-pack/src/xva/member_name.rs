//! Names of members, written and read: `prefix/00000012` is a block, `prefix/00000012.xxhash` its checksum.

use crate::xva::checksum::Algorithm;
use crate::xva::tar_member::MAX_NAME;

/// The highest block number. The importer compares names as strings, and a ninth digit would sort before the eighth.
pub(crate) const MAX_NUMBER: u64 = 99_999_999;

/// Digits of a block number in a name.
pub(crate) const DIGITS: usize = MAX_NUMBER.ilog10() as usize + 1;

/// The directory of a disk in the archive: the `id` of its VDI in `ova.xml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// `Ref:0`, of an archive of one disk without metadata.
impl Default for Prefix {
    fn default() -> Self {
        Prefix("Ref:0".to_owned())
    }
}

impl Prefix {
    /// Refuses (with the sentence) what cannot be one directory of a V7 tar, or would leave it when unpacked.
    pub fn parse(text: &str) -> Result<Self, String> {
        let suffix = Algorithm::all().map(|algorithm| algorithm.suffix().len()).fold(0, usize::max);
        let longest = MAX_NAME - "/".len() - DIGITS - suffix;
        if text.len() > longest {
            return Err(format!("found {} bytes, expected at most {longest}", text.len()));
        }
        if text.is_empty() || text == "." || text == ".." {
            return Err("expected the id of a VDI, such as Ref:0".to_owned());
        }
        if text.contains('/') || text.chars().any(char::is_control) {
            return Err(
                "found a slash or control character, expected the id of a VDI, such as Ref:0".to_owned()
            );
        }
        Ok(Prefix(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The member name of a block.
    pub fn block_name(&self, number: u64) -> String {
        format!("{}/{number:0DIGITS$}", self.0)
    }

    /// The member name of a block's checksum.
    pub fn checksum_name(&self, number: u64, algorithm: Algorithm) -> String {
        format!("{}/{number:0DIGITS$}{}", self.0, algorithm.suffix())
    }
}

/// What the name of a member says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemberKind<'a> {
    /// A block: its disk and its number, in digits.
    Block(&'a str, &'a str),
    /// The checksum of the block with this name.
    Checksum(&'a str, Algorithm),
    /// The name of a block and more, such as a checksum of a kind that the importer does not know.
    Attached(&'a str),
    /// Something in the directory of a disk that is none of these, and might be meant as a block.
    Inside(&'a str),
    /// Anything else.
    Other,
}

/// Reads a name.
pub(crate) fn member_kind(name: &str) -> MemberKind<'_> {
    let Some((prefix, rest)) = name.rsplit_once('/') else { return MemberKind::Other };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(rest) {
        return MemberKind::Block(prefix, rest);
    }
    for algorithm in Algorithm::all() {
        if let (Some(block), Some(number)) =
            (name.strip_suffix(algorithm.suffix()), rest.strip_suffix(algorithm.suffix()))
            && is_number(number)
        {
            return MemberKind::Checksum(block, algorithm);
        }
    }
    match rest.split_once('.') {
        _ if rest.is_empty() => MemberKind::Other,
        Some((number, _)) if is_number(number) => {
            let length = prefix.len() + "/".len() + number.len();
            MemberKind::Attached(name.get(..length).unwrap_or(name))
        }
        _ => MemberKind::Inside(prefix),
    }
}

/// The disk and the number of a block with this name.
pub(crate) fn block_name(name: &str) -> Option<(&str, &str)> {
    match member_kind(name) {
        MemberKind::Block(prefix, digits) => Some((prefix, digits)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_checksums_are_told_from_the_rest() {
        for (name, expected) in [
            ("Ref:0/00000012", MemberKind::Block("Ref:0", "00000012")),
            ("a/b/1", MemberKind::Block("a/b", "1")),
            ("Ref:0/00000012.xxhash", MemberKind::Checksum("Ref:0/00000012", Algorithm::Xxhash)),
            ("Ref:0/00000012.checksum", MemberKind::Checksum("Ref:0/00000012", Algorithm::Sha1)),
            ("Ref:0/0x12", MemberKind::Inside("Ref:0")),
            ("Ref:0/.xxhash", MemberKind::Inside("Ref:0")),
            ("Ref:0/+1", MemberKind::Inside("Ref:0")),
            ("Ref:0/", MemberKind::Other),
            ("Ref:0/00000012.md5", MemberKind::Attached("Ref:0/00000012")),
            ("Ref:0/00000012.a.b", MemberKind::Attached("Ref:0/00000012")),
            ("Ref:0/00000012.", MemberKind::Attached("Ref:0/00000012")),
            ("ova.xml", MemberKind::Other),
            ("00000000", MemberKind::Other),
        ] {
            assert_eq!(member_kind(name), expected, "{name}");
        }
    }

    #[test]
    fn a_prefix_is_one_directory_that_leaves_room_for_the_checksum_name() {
        for good in ["Ref:0", "a b", &"x".repeat(82)] {
            let prefix = Prefix::parse(good).unwrap();
            assert!(Algorithm::all().all(|kind| prefix.checksum_name(MAX_NUMBER, kind).len() <= MAX_NAME));
        }
        for bad in ["", "..", ".", "a/b", "a\nb", &"x".repeat(83)] {
            assert!(Prefix::parse(bad).is_err(), "{bad}");
        }
    }
}
