//! What an image asks of its reader: feature bits, encryption, compression. An image that asks for something unknown is
//! sound, but nobody here can say what its tables mean.

use extents::extent::stored::Compression;
use extents::failure::Failure;

use crate::header::{Header, incompatible};

/// Refuses unknown features and encryption (status 4), and images that are marked corrupt (status 3).
pub(crate) fn check(header: &Header) -> Result<(), Failure> {
    let unknown = header.incompatible_features & !incompatible::KNOWN;
    if unknown != 0 {
        let bits: Vec<String> =
            (0..64).filter(|bit| unknown >> bit & 1 == 1).map(|bit| bit.to_string()).collect();
        return Err(Failure::unsupported(format!(
            "uses features that this program does not know: found incompatible feature bits {}, expected 0 to 4",
            bits.join(", ")
        )));
    }
    if header.incompatible_features & incompatible::CORRUPT != 0 {
        return Err(Failure::damaged(
            "is marked corrupt: found the corrupt bit set, expected it clear; qemu-img check -r all may repair a copy",
        ));
    }
    if header.crypt_method > 2 {
        return Err(Failure::unsupported(format!(
            "unknown encryption: found crypt_method {}, expected 0 to 2",
            header.crypt_method
        )));
    }
    Ok(())
}

/// How compressed clusters are compressed. The feature bit says that it is not deflate.
pub(crate) fn compression(header: &Header) -> Result<Compression, Failure> {
    let flag = header.incompatible_features & incompatible::COMPRESSION_TYPE != 0;
    match (header.compression_type, flag) {
        (0, false) => Ok(Compression::Zlib),
        (1, true) => Ok(Compression::Zstd),
        (0 | 1, _) => Err(Failure::damaged(format!(
            "compression_type and its feature bit contradict each other: found type {} and bit {}",
            header.compression_type,
            u8::from(flag)
        ))),
        (unknown, _) => Err(Failure::unsupported(format!(
            "unknown compression: found compression_type {unknown}, expected 0 (zlib) or 1 (zstd)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::HEADER_BYTES;
    use image_builders::qcow2::Image;

    fn judged(features: u64, crypt_method: u32, compression_type: u8) -> Result<Compression, Failure> {
        let image = Image::new("a", 1 << 20).build();
        let mut header = Header::parse(&image.bytes[..HEADER_BYTES])?;
        header.incompatible_features = features;
        header.crypt_method = crypt_method;
        header.compression_type = compression_type;
        check(&header)?;
        compression(&header)
    }

    fn refused(judged: Result<Compression, Failure>, status: u8, sentence: &str) {
        let failure = judged.unwrap_err();
        assert!(failure.to_string().contains(sentence), "{failure}");
        assert_eq!(failure.status() as u8, status, "{failure}");
    }

    #[test]
    fn known_features_are_no_reason_to_refuse() {
        let known = incompatible::KNOWN & !incompatible::CORRUPT;
        assert_eq!(judged(known, 2, 1), Ok(Compression::Zstd));
        assert_eq!(judged(incompatible::DIRTY, 0, 0), Ok(Compression::Zlib));
    }

    #[test]
    fn what_is_unknown_is_status_4() {
        refused(judged(1 << 5 | 1 << 63, 0, 0), 4, "bits 5, 63");
        refused(judged(incompatible::CORRUPT | 1 << 5, 0, 0), 4, "bits 5");
        refused(judged(0, 3, 0), 4, "crypt_method 3");
        refused(judged(incompatible::COMPRESSION_TYPE, 0, 2), 4, "compression_type 2");
    }

    #[test]
    fn what_contradicts_itself_or_is_marked_corrupt_is_status_3() {
        refused(judged(incompatible::CORRUPT, 0, 0), 3, "marked corrupt");
        refused(judged(0, 0, 1), 3, "contradict");
        refused(judged(incompatible::COMPRESSION_TYPE, 0, 0), 3, "contradict");
    }
}
