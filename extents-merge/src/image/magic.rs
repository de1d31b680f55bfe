//! What a file is, by its bytes. Nothing is decided by it: a guest can write any magic into its raw disk. It is for sentences,
//! so that one who took the wrong file is told which one it is and what reads it.
//!
//! The formats stand in `formats.table`, which the scripts read too.

use std::fmt;
use std::path::Path;

use crate::extent::length::in_memory;
use crate::failure::Failure;
use crate::image::file::ImageFile;

const TABLE: &str = include_str!("formats.table");

/// Bytes at the beginning of a file that tell what it is.
pub const BEGINNING: usize = 33 << 10;
/// Bytes at its end that tell it.
const END: usize = 512;
/// Bytes by which a file is known to be what was read.
const COMPARED: usize = 512;
/// Bytes of an unknown file that a sentence shows.
const SHOWN: usize = 8;

/// What can be done with a file of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A disk image: the guest's bytes are not where the guest sees them.
    Image,
    /// To be decompressed first.
    Compressed,
    /// A tar of some kind.
    Archive,
    /// No disk at all.
    Text,
    /// What a raw disk begins with.
    Raw,
}

/// A format of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Its short name: what `--format` calls it, or qemu.
    pub id: &'static str,
    /// What can be done with it.
    pub kind: Kind,
    /// For people, with an article.
    pub name: &'static str,
    /// The program that reads it, with its options.
    pub reader: Option<&'static str>,
    magics: &'static str,
}

/// `a VMDK, which qemu-img reads`
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.reader.map_or(Ok(()), |reader| write!(f, ", which {reader} reads"))
    }
}

/// The table, in its order.
fn formats() -> impl Iterator<Item = Format> {
    TABLE.lines().filter_map(format)
}

/// A line of the table; none for a comment.
fn format(line: &'static str) -> Option<Format> {
    let mut fields = line.split('|').map(str::trim);
    let id = fields.next().filter(|id| !id.starts_with('#'))?;
    let kind = match fields.next()? {
        "image" | "qemu" => Kind::Image,
        "compressed" => Kind::Compressed,
        "archive" => Kind::Archive,
        "text" => Kind::Text,
        "raw" => Kind::Raw,
        _ => return None,
    };
    let name = fields.next()?;
    let reader = fields.next().filter(|reader| *reader != "-");
    Some(Format { id, kind, name, reader, magics: fields.next()? })
}

/// The format with this short name.
pub fn by_id(id: &str) -> Option<Format> {
    formats().find(|format| format.id == id)
}

/// What a file seems to be that begins with `beginning`, at most [`BEGINNING`] bytes. More than one if its `end` says something
/// else; of a raw disk only that, if there is nothing else.
pub fn formats_of(beginning: &[u8], end: &[u8], name: Option<&Path>) -> Vec<Format> {
    let at_start = formats().find(|format| format.fits(&mut |magic| is_at(magic, beginning, 0)));
    let at_end = formats().find(|format| format.fits(&mut |magic| is_at(magic, end, end.len())));
    let mut found: Vec<Format> = at_start.into_iter().chain(at_end).collect();
    found.dedup();
    if found.len() > 1 {
        found.retain(|format| format.kind != Kind::Raw);
    }
    if found.is_empty() {
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let has_ending = |magic: &str| magic.strip_prefix("name:").is_some_and(|end| name.ends_with(end));
        found.extend(formats().find(|format| format.magics.split(' ').any(has_ending)));
    }
    found
}

/// What `file` seems to be, as far as that is known.
pub fn formats_of_file(file: &ImageFile) -> Result<Vec<Format>, Failure> {
    let (beginning, end) = edges(file)?;
    Ok(formats_of(&beginning, &end, Some(file.path())))
}

/// What `file` is, for a sentence that says that it is not the format `expected`.
pub fn describe_file(file: &ImageFile, expected: &str) -> Result<String, Failure> {
    let (beginning, end) = edges(file)?;
    let mut found = formats_of(&beginning, &end, Some(file.path()));
    found.retain(|format| format.id != expected);
    Ok(match found[..] {
        [] => describe_unknown(&beginning, file.size()),
        [only] => only.to_string(),
        [first, ..] => format!("what begins as {first}"),
    })
}

/// What begins with `beginning`, and comes from the file `name`, if it has one. That is also looked at from its end, unless it is
/// another one by now, or was decompressed.
pub fn formats_of_input(beginning: &[u8], name: Option<&Path>) -> Vec<Format> {
    let mut first = vec![0; beginning.len().min(COMPARED)];
    let file = name.and_then(|name| ImageFile::open(name).ok()).filter(|file| {
        file.read_exact_at(&mut first, 0, "its beginning").is_ok() && beginning.starts_with(&first)
    });
    let at_both_ends = file.and_then(|file| formats_of_file(&file).ok());
    at_both_ends.unwrap_or_else(|| formats_of(beginning, &[], name))
}

/// What begins with `beginning` and has `size` bytes, if it is of no known format.
pub fn describe_unknown(beginning: &[u8], size: u64) -> String {
    let shown = &beginning[..beginning.len().min(SHOWN)];
    let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
    if size == 0 {
        "an empty file".to_owned()
    } else if size <= beginning.len() as u64 && is_zero(beginning) {
        format!("{size} zero bytes")
    } else if is_zero(shown) {
        "zeros at its beginning".to_owned()
    } else {
        let whole = size <= shown.len() as u64;
        format!("\"{}\" {}", shown.escape_ascii(), if whole { "alone" } else { "at its beginning" })
    }
}

/// The bytes at both ends of a file.
fn edges(file: &ImageFile) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let read = |offset, length| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset, "the bytes that tell its format").map(|()| bytes)
    };
    let end = in_memory(file.size()).min(END);
    let beginning = read(0, in_memory(file.size()).min(BEGINNING))?;
    Ok((beginning, read(file.size() - end as u64, end)?))
}

impl Format {
    /// Whether one of its magics is all there.
    fn fits(&self, is_there: &mut dyn FnMut(&str) -> bool) -> bool {
        self.magics.split(' ').any(|magic| magic.split('+').all(&mut *is_there))
    }
}

/// Whether `OFFSET:HEX` or `OFFSET..LAST:HEX` is in `bytes`, which begin at offset 0, or end `end` bytes after negative ones.
fn is_at(magic: &str, bytes: &[u8], end: usize) -> bool {
    let Some((offsets, hex)) = magic.split_once(':') else { return false };
    let (first, last) = offsets.split_once("..").unwrap_or((offsets, offsets));
    let offset = |text: &str| match text.strip_prefix('-') {
        Some(back) if end > 0 => back.parse().ok().and_then(|back| end.checked_sub(back)),
        None if end == 0 => text.parse().ok(),
        _ => None,
    };
    let (Some(first), Some(last)) = (offset(first), offset(last)) else { return false };
    (first..=last).any(|at| bytes.get(at..).is_some_and(|bytes| begins_with(bytes, hex)))
}

/// Whether `bytes` begin with the hexadecimal digits `hex`, two a byte, of which ? is any.
fn begins_with(bytes: &[u8], hex: &str) -> bool {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let wanted = hex.bytes().filter(|byte| !byte.is_ascii_whitespace());
    bytes.len() * 2 >= hex.len()
        && wanted.zip(digits).all(|(wanted, digit)| {
            wanted == b'?' || char::from(wanted).to_digit(16) == Some(u32::from(digit))
        })
}

#[cfg(test)]
mod tests;
