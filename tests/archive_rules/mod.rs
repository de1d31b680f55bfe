//! The rules by which xapi's importer reads the disk of an archive, written down a second time and strictly: a test must
//! not believe the program's own reader.

use twox_hash::XxHash64;

const RECORD: usize = 512;
const BLOCK: usize = 1 << 20;

/// The disk of `size` bytes that is the only one in `archive`, all blocks of 1 MiB, and nothing behind it but two
/// records of zeros. Panics where a rule is broken.
pub(crate) fn disk_in(archive: &[u8], prefix: &str, size: usize) -> Vec<u8> {
    let mut rest = archive;
    let mut disk = Vec::new();
    let last = size.div_ceil(BLOCK) - 1;
    loop {
        let (name, block) = member(&mut rest);
        let digits = name.strip_prefix(prefix).and_then(|name| name.strip_prefix('/')).unwrap();
        assert!(digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_digit()), "{name}");
        let number: usize = digits.parse().unwrap();
        let start = number * BLOCK;
        assert!(start >= disk.len() && number <= last && block.len() == BLOCK, "{name}");
        assert!(start == 0 || !disk.is_empty(), "the first block is missing");
        disk.resize(start, 0);
        disk.extend_from_slice(block);
        let (checksum_name, checksum) = member(&mut rest);
        assert_eq!(checksum_name, format!("{name}.xxhash"));
        assert_eq!(std::str::from_utf8(checksum).unwrap(), format!("{:016X}", XxHash64::oneshot(0, block)));
        if number == last {
            break;
        }
    }
    assert_eq!(rest, [0; 2 * RECORD], "what follows the last block is no end-of-tar");
    assert!(disk[size..].iter().all(|byte| *byte == 0), "the padding is not zero");
    disk.truncate(size);
    disk
}

/// Name and data of the member at the beginning of `rest`, which begins with the next one afterwards.
fn member<'a>(rest: &mut &'a [u8]) -> (&'a str, &'a [u8]) {
    let (header, after) = rest.split_at(RECORD);
    let sum: usize = header.iter().map(|byte| usize::from(*byte)).sum();
    let stated: usize = header[148..156].iter().map(|byte| usize::from(*byte)).sum();
    assert_eq!(octal(&header[148..155]), sum - stated + 8 * usize::from(b' '));
    assert!(header[156..].iter().all(|byte| *byte == 0), "no V7 header of a plain file");
    let name = header[..100].split(|byte| *byte == 0).next().unwrap();
    let size = octal(&header[124..135]);
    let (data, padding) = after[..size.next_multiple_of(RECORD)].split_at(size);
    assert!(padding.iter().all(|byte| *byte == 0));
    *rest = &after[size.next_multiple_of(RECORD)..];
    (std::str::from_utf8(name).unwrap(), data)
}

fn octal(digits: &[u8]) -> usize {
    usize::from_str_radix(std::str::from_utf8(digits).unwrap(), 8).unwrap()
}
