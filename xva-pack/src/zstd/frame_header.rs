//! What stands at the beginning of a frame and of each of its blocks: how long they are and what reading them takes.
//!
//! Source: RFC 8878, 3.1.1 "Zstandard Frames" and 3.1.2 "Skippable Frames".

/// The first bytes of a frame.
pub(crate) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bytes of a block header.
pub(crate) const BLOCK_HEADER: usize = 3;

/// Bytes of the checksum after the last block of a frame that has one.
pub(crate) const CHECKSUM: u64 = 4;

/// Bytes of what is looked at first, the magic.
pub(crate) const MAGIC_LEN: usize = MAGIC.len();

/// The largest window that the format can say: 2^41 + 7 * 2^38 bytes.
const MAX_WINDOW: u64 = (1 << 41) + 7 * (1 << 38);

/// The most content of one block, in bytes.
const MAX_BLOCK_CONTENT: u64 = 128 << 10;

/// What the first four bytes say comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A frame of content.
    Frame,
    /// A frame that decoders skip; the last hexadecimal digit of its magic is for whoever wrote it.
    Skippable(u8),
}

/// Whether these are the first four bytes of a frame, and of which kind.
pub(crate) fn kind(magic: [u8; MAGIC_LEN]) -> Option<Kind> {
    match magic {
        MAGIC => Some(Kind::Frame),
        [low, 0x2a, 0x4d, 0x18] if low >> 4 == 5 => Some(Kind::Skippable(low & 0xf)),
        _ => None,
    }
}

/// The header of a frame of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Bytes that a decoder must look back.
    pub(crate) window: u64,
    /// Bytes of the content, if the header says.
    pub(crate) content: Option<u64>,
    /// A checksum follows the last block.
    pub(crate) checksum: bool,
    /// It can be read only with a dictionary.
    pub(crate) dictionary: bool,
}

/// Bytes of the header after the magic, by their first one, the descriptor.
pub(crate) fn header_len(descriptor: u8) -> usize {
    let single = descriptor >> 5 & 1;
    let content = match descriptor >> 6 {
        0 => usize::from(single),
        bits => 1 << bits,
    };
    1 + usize::from(1 - single) + dictionary_len(descriptor) + content
}

fn dictionary_len(descriptor: u8) -> usize {
    [0, 1, 2, 4][usize::from(descriptor & 3)]
}

/// The longest header after the magic.
pub(crate) const MAX_HEADER: usize = 14;

/// Reads the header after the magic, all [`header_len`] bytes of it. The sentence says what cannot be.
pub(crate) fn parse(header: &[u8]) -> Result<FrameHeader, String> {
    let short = || "its header is too short".to_owned();
    let descriptor = *header.first().ok_or_else(short)?;
    if descriptor >> 3 & 1 == 1 {
        return Err("its header has a reserved bit set".to_owned());
    }
    let single = descriptor >> 5 & 1 == 1;
    let rest = header.get(1..header_len(descriptor)).ok_or_else(short)?;
    let (window, rest) = if single { (None, rest) } else { (rest.first().copied(), &rest[1..]) };
    let (id, content) = rest.split_at(dictionary_len(descriptor));
    let little = |bytes: &[u8]| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
    let content = match content.len() {
        0 => None,
        2 => Some(little(content) + 256),
        _ => Some(little(content)),
    };
    let window = match window {
        Some(byte) => {
            let base = 1_u64 << (10 + (byte >> 3));
            base + base / 8 * u64::from(byte & 7)
        }
        None => content.unwrap_or_default(),
    };
    if window > MAX_WINDOW {
        return Err(format!("found a window of {window} bytes, expected at most {MAX_WINDOW}"));
    }
    Ok(FrameHeader { window, content, checksum: descriptor >> 2 & 1 == 1, dictionary: little(id) != 0 })
}

/// The header of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    /// No block follows it in its frame.
    pub(crate) last: bool,
    /// Bytes from the header to the next.
    pub(crate) stored: u64,
}

/// Reads the header of a block in a frame whose window has so many bytes.
pub(crate) fn parse_block(header: [u8; BLOCK_HEADER], window: u64) -> Result<BlockHeader, String> {
    let [low, middle, high] = header.map(u64::from);
    let value = low | middle << 8 | high << 16;
    let size = value >> 3;
    let stored = match value >> 1 & 3 {
        0 | 2 if size > window.min(MAX_BLOCK_CONTENT) => {
            let most = window.min(MAX_BLOCK_CONTENT);
            return Err(format!("found a block of {size} bytes, expected at most {most}"));
        }
        0 | 2 => size,
        // One byte, so many times.
        1 => 1,
        _ => return Err("found a block of a reserved type".to_owned()),
    };
    Ok(BlockHeader { last: value & 1 == 1, stored })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(frame: &[u8]) -> FrameHeader {
        parse(&frame[MAGIC_LEN..][..header_len(frame[MAGIC_LEN])]).unwrap()
    }

    /// What the zstd library writes.
    #[test]
    fn headers_say_what_the_library_was_told() {
        for size in [0, 1, 255, 256, 257, 65_791, 65_792, 1 << 20, 5 << 20] {
            let data = vec![7; size];
            let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
            compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(size % 2 == 0)).unwrap();
            let header = header_of(&compressor.compress(&data).unwrap());
            assert_eq!(header.content, Some(size as u64));
            assert_eq!((header.checksum, header.dictionary), (size % 2 == 0, false));
            // Level 1 looks back 512 KiB.
            assert!(header.window <= 1 << 19 || header.window == size as u64, "{header:?}");
        }
        let streamed = zstd::stream::encode_all(&vec![7; 300_000][..], 3).unwrap();
        assert_eq!(header_of(&streamed).content, None);
    }

    #[test]
    fn what_the_format_cannot_say_is_refused() {
        assert!(parse(&[]).is_err());
        assert!(parse(&[0x08, 0]).is_err(), "the reserved bit");
        // A single segment is its own window.
        let claims = |size: u64| parse(&[&[0xe0][..], &size.to_le_bytes()].concat());
        assert_eq!(claims(MAX_WINDOW).unwrap().window, MAX_WINDOW);
        assert!(claims(1 << 60).is_err());
        assert_eq!(parse(&[0, 0xff]).unwrap().window, (1 << 41) + 7 * (1 << 38));
        assert!(parse_block([6, 0, 0], 1 << 20).is_err(), "the reserved type");
        assert!(parse_block([4, 0, 0x10 + 1], 1 << 20).is_err(), "a block above 128 KiB");
        assert_eq!(parse_block([3, 0, 0x80], 1024), Ok(BlockHeader { last: true, stored: 1 }));
    }

    #[test]
    fn sixteen_magics_are_skippable() {
        assert_eq!(kind([0x5e, 0x2a, 0x4d, 0x18]), Some(Kind::Skippable(0xe)));
        assert_eq!(kind([0x60, 0x2a, 0x4d, 0x18]), None);
        assert_eq!(kind(MAGIC), Some(Kind::Frame));
    }
}
