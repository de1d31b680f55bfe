//! UUIDs for the objects of the metadata: the same for the same machine, so that its `ova.xml` is reproducible.
//!
//! Source: RFC 9562, section 5.5 (version 5: SHA-1 of a name space and a name).

use sha1::{Digest, Sha1};

/// The name space of these UUIDs; drawn at random once.
const NAME_SPACE: [u8; 16] =
    [0x5f, 0x1d, 0xc8, 0x3a, 0x92, 0x6b, 0x4e, 0x07, 0xa4, 0xd1, 0x3c, 0x58, 0xe0, 0x77, 0x29, 0xb6];

/// The UUID of the object `id` in what `seed` describes: text without UUIDs, or random bytes.
pub fn uuid(seed: &[u8], id: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(NAME_SPACE);
    hash.update(id);
    hash.update([0]);
    hash.update(seed);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    let bits = u128::from_be_bytes(bytes);
    // Four bits say the version, and two the variant.
    let version = bits >> 64 & 0x0fff | 0x5000;
    let variant = bits >> 48 & 0x3fff | 0x8000;
    let (low, mid, node) = (bits >> 96, bits >> 80 & 0xffff, bits & 0xffff_ffff_ffff);
    format!("{low:08x}-{mid:04x}-{version:04x}-{variant:04x}-{node:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's `uuid.uuid5` of the name space and `"Ref:1\0machine"`.
    #[test]
    fn every_bit_is_where_another_library_puts_it() {
        assert_eq!(uuid(b"machine", "Ref:1"), "080214f9-2b5d-5449-9ac4-08b8aaf460cb");
    }

    #[test]
    fn uuids_are_of_version_5_and_of_their_own_for_every_object() {
        let first = uuid(b"machine", "Ref:1");
        assert_eq!((first.len(), &first[14..15], first.split('-').count()), (36, "5", 5));
        assert!(matches!(&first[19..20], "8" | "9" | "a" | "b"));
        assert_eq!(first, uuid(b"machine", "Ref:1"));
        assert_ne!(first, uuid(b"machine", "Ref:2"));
        assert_ne!(first, uuid(b"another", "Ref:1"));
    }
}
