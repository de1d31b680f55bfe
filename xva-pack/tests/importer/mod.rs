//! The rules by which xapi's importer reads the disks of an archive, written down a second time and with nothing of the
//! program's own reader, so that the two can be compared.
//!
//! Source: `recv_all_vdi` in xapi's `stream_vdi.ml`; `tar.ml` of ocaml-tar 2.6 for the headers.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};
use twox_hash::XxHash64;

const RECORD: usize = 512;

/// What the importer made of an archive.
pub(crate) struct Imported<'a> {
    /// Every disk that was announced, whole.
    pub(crate) disks: BTreeMap<String, Vec<u8>>,
    /// What it did not read.
    pub(crate) rest: &'a [u8],
}

/// Reads the disks that the metadata at the beginning announces: prefix and size in bytes. Otherwise the reason of the
/// refusal.
pub(crate) fn import<'a>(archive: &'a [u8], announced: &[(String, usize)]) -> Result<Imported<'a>, String> {
    let mut stream = Stream(archive);
    let (name, length) = stream.header()?;
    if name != "ova.xml" {
        return Err(format!("unexpected file {name}"));
    }
    stream.take(length.next_multiple_of(RECORD))?;
    let mut disks = BTreeMap::new();
    let mut unit = None;
    // A BTreeMap is in byte order of its keys, as the importer's list of disks is.
    for (prefix, size) in announced.iter().cloned().collect::<BTreeMap<_, _>>() {
        let disk = stream.disk(&prefix, size, &mut unit)?;
        disks.insert(prefix, disk);
    }
    Ok(Imported { disks, rest: stream.0 })
}

/// What is still to be read.
struct Stream<'a>(&'a [u8]);

impl<'a> Stream<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("premature end of file")?;
        self.0 = rest;
        Ok(taken)
    }

    /// All blocks of one disk. `unit` is the length of the first block of the archive, which every gap is counted in.
    fn disk(&mut self, prefix: &str, size: usize, unit: &mut Option<usize>) -> Result<Vec<u8>, String> {
        let mut disk = vec![0; size];
        let (mut offset, mut last_text, mut last) = (0, "-1".to_owned(), -1_i64);
        while offset < size {
            let (name, length) = self.header()?;
            let unit = *unit.get_or_insert(length);
            let suffix = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
            let suffix = suffix.ok_or_else(|| format!("expected a chunk of {prefix}, got {name}"))?;
            if suffix <= last_text.as_str() {
                return Err(format!("{suffix} does not follow {last_text}"));
            }
            let number: i64 = suffix.parse().map_err(|_| format!("{suffix} is no number"))?;
            let skipped = usize::try_from(number - last - 1).map_err(|_| "numbers decrease")?;
            offset += skipped * unit;
            // xapi would take an empty block there for the end of the disk, whose last bytes never came.
            if offset >= size {
                return Err("the last block is missing".to_owned());
            }
            let data = self.take(length)?;
            let place = disk.get_mut(offset..offset + length).ok_or("a write past the end of the disk")?;
            place.copy_from_slice(data);
            self.checksum(&name, data)?;
            offset += length;
            (last_text, last) = (suffix.to_owned(), number);
        }
        Ok(disk)
    }

    /// The checksum after a block, whose padding is not read before this header is.
    fn checksum(&mut self, block: &str, data: &[u8]) -> Result<(), String> {
        if !data.len().is_multiple_of(RECORD) {
            return Err(format!("{block}: its padding is taken for a header"));
        }
        let (name, length) = self.header()?;
        let expected = match name.strip_prefix(block) {
            Some(".xxhash") => format!("{:016X}", XxHash64::oneshot(0, data)),
            Some(".checksum") => {
                Sha1::digest(data).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
            }
            _ => return Err(format!("unsupported checksum file {name}")),
        };
        let found = self.take(length)?;
        self.take(length.next_multiple_of(RECORD) - length)?;
        if found == expected.as_bytes() { Ok(()) } else { Err(format!("invalid checksum of {block}")) }
    }

    /// Name and length of the next member: one record of zeros is passed over, two are the end, and headers that speak of
    /// the next one are obeyed.
    fn header(&mut self) -> Result<(String, usize), String> {
        let mut record = self.take(RECORD)?;
        if record.iter().all(|byte| *byte == 0) {
            record = self.take(RECORD)?;
            if record.iter().all(|byte| *byte == 0) {
                return Err("end of stream".to_owned());
            }
        }
        let sum = |bytes: &[u8]| bytes.iter().copied().map(usize::from).sum::<usize>();
        if octal(&record[148..156])? != sum(&record[..148]) + sum(&[b' '; 8]) + sum(&record[156..]) {
            return Err("header checksum".to_owned());
        }
        for numbers in [100..108, 108..116, 116..124, 136..148] {
            octal(&record[numbers])?;
        }
        let is_ustar = &record[257..265] == b"ustar\x0000";
        let mut name = text(&record[..100])?;
        if is_ustar && record[345] != 0 {
            name = format!("{}/{name}", text(&record[345..500])?);
        }
        let length = octal(&record[124..136])?;
        match record[156] {
            0 | b'0' => Ok((name, length)),
            b'L' => {
                let long = text(self.take(length)?)?;
                self.take(length.next_multiple_of(RECORD) - length)?;
                Ok((long, self.header()?.1))
            }
            b'x' => {
                let attributes = text(self.take(length)?)?;
                self.take(length.next_multiple_of(RECORD) - length)?;
                let (mut name, mut size) = self.header()?;
                for line in attributes.lines() {
                    match line.split_once(' ').and_then(|(_, attribute)| attribute.split_once('=')) {
                        Some(("path", path)) => path.clone_into(&mut name),
                        Some(("size", digits)) => size = digits.parse().map_err(|_| "pax size")?,
                        Some(_) => {}
                        None => return Err("pax header".to_owned()),
                    }
                }
                Ok((name, size))
            }
            kind => Err(format!("{name} is of type {kind}")),
        }
    }
}

/// Up to the first NUL.
fn text(field: &[u8]) -> Result<String, String> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).map_err(|_| "a name is not UTF-8".to_owned())
}

/// Octal digits, blank is zero; a number in base 256 has no digits.
fn octal(field: &[u8]) -> Result<usize, String> {
    let digits = text(field)?;
    let digits = digits.trim_matches(' ');
    if digits.is_empty() {
        return Ok(0);
    }
    if digits.starts_with('+') {
        return Err("a signed number".to_owned());
    }
    usize::from_str_radix(digits, 8).map_err(|_| format!("{digits} is not octal"))
}
