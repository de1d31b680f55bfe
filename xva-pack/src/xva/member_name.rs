//! Names of members: `prefix/00000012` is a block, `prefix/00000012.xxhash` its checksum.

use crate::xva::checksum::Algorithm;

/// What the name of a member says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// A block: its disk and its number, in digits.
    Block(&'a str, &'a str),
    /// The checksum of the block with this name.
    Checksum(&'a str, Algorithm),
    /// Something in the directory of a disk that is neither, and might be meant as a block.
    Inside(&'a str),
    /// Anything else.
    Other,
}

/// Reads a name.
pub(crate) fn meaning(name: &str) -> Meaning<'_> {
    let Some((prefix, rest)) = name.rsplit_once('/') else { return Meaning::Other };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(rest) {
        return Meaning::Block(prefix, rest);
    }
    for algorithm in Algorithm::all() {
        if let (Some(block), Some(number)) =
            (name.strip_suffix(algorithm.suffix()), rest.strip_suffix(algorithm.suffix()))
            && is_number(number)
        {
            return Meaning::Checksum(block, algorithm);
        }
    }
    let is_attached = rest.split_once('.').is_some_and(|(number, _)| is_number(number));
    if rest.is_empty() || is_attached { Meaning::Other } else { Meaning::Inside(prefix) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_checksums_are_told_from_the_rest() {
        for (name, expected) in [
            ("Ref:0/00000012", Meaning::Block("Ref:0", "00000012")),
            ("a/b/1", Meaning::Block("a/b", "1")),
            ("Ref:0/00000012.xxhash", Meaning::Checksum("Ref:0/00000012", Algorithm::Xxhash)),
            ("Ref:0/00000012.checksum", Meaning::Checksum("Ref:0/00000012", Algorithm::Sha1)),
            ("Ref:0/0x12", Meaning::Inside("Ref:0")),
            ("Ref:0/.xxhash", Meaning::Inside("Ref:0")),
            ("Ref:0/+1", Meaning::Inside("Ref:0")),
            ("Ref:0/", Meaning::Other),
            ("Ref:0/00000012.md5", Meaning::Other),
            ("ova.xml", Meaning::Other),
            ("00000000", Meaning::Other),
        ] {
            assert_eq!(meaning(name), expected, "{name}");
        }
    }
}
