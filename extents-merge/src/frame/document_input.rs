//! What is given in the place of a document: an image, mostly, whose header tool was forgotten. Its owner is told what it is,
//! and not that its first byte is no JSON.

use std::fs::File;
use std::io::{Cursor, Read};

use crate::failure::Failure;
use crate::frame::input::InputName;
use crate::frame::streams::Waiting;
use crate::image::magic;

/// Bytes that are read at once where it may be a document: of a slow one no more than what is there.
const FIRST: usize = 4096;

/// Reads the beginning of `input`, which `name` leads to and of which nothing was read, and yields it: it must be put before the
/// rest. `expected` is the kind of document, with its article.
///
/// Status 3 for a file of a format that is known and no document, 1 for a failed read. What is neither is left to a parser.
pub fn beginning(input: &mut Waiting<File>, name: &InputName, expected: &str) -> Result<Vec<u8>, Failure> {
    let cannot = |error| Failure::io(name.name(), "cannot read", &error);
    let mut bytes = vec![0; FIRST];
    let read = input.read(&mut bytes).map_err(cannot)?;
    bytes.truncate(read);
    if bytes.first().is_none_or(|first| b"{[ \n\r\t".contains(first)) {
        return Ok(bytes);
    }
    let more = (magic::BEGINNING - read) as u64;
    input.by_ref().take(more).read_to_end(&mut bytes).map_err(cannot)?;
    match magic::formats_of_input(&bytes, name.path())[..] {
        [format, ..] => {
            let what =
                format!("is not {expected}: found {format}; expected JSON, as the header tools print it");
            Err(Failure::damaged(what).in_file(name.name()))
        }
        [] => Ok(bytes),
    }
}

/// As [`InputName::open`], for a document of the kind `expected`; refused as by [`beginning`].
pub fn open(name: &InputName, expected: &str) -> Result<impl Read + use<>, Failure> {
    let mut input = name.open(expected)?;
    let beginning = beginning(&mut input, name, expected)?;
    Ok(Cursor::new(beginning).chain(input))
}
