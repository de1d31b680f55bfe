//! Documents, read. The first byte tells their dialects apart, but for two kinds of arrays, which differ in the keys of their
//! entries. No document is held: what it says is collected range by range.

use std::io::{BufRead, BufReader, Read};

use crate::document::collected::Collected;
use crate::document::failed_stage::Upstream;
use crate::failure::Failure;

mod extents_document;
mod map_array;

/// A pipe holds as much.
const BUFFER: usize = 64 << 10;

/// Adds the document in `input` to `collected`, and yields the virtual size of its disk.
pub(crate) fn read(input: impl Read, collected: &mut Collected) -> Result<u64, Failure> {
    let mut input = BufReader::with_capacity(BUFFER, Upstream::new(input));
    let read = match first_byte(&mut input) {
        Ok(b'{') => extents_document::read(&mut input, collected),
        Ok(b'[') => map_array::read(&mut input, collected),
        Ok(other) => Err(Failure::damaged(format!(
            "not a JSON document of a known dialect: found {:?}, expected an extents document, or an array from qemu-img \
             map or nbdinfo --map",
            char::from(other)
        ))),
        Err(failure) => Err(failure),
    };
    // Also after a sound document: in one without brackets, the mark could pass for a part of it.
    let failed = collected.no_damage.take().or_else(|| input.get_mut().failure());
    failed.map_or(read, Err)
}

/// The first byte that is not white space, which stays in `input`.
fn first_byte(input: &mut impl BufRead) -> Result<u8, Failure> {
    let mut blank = false;
    loop {
        let held = input.fill_buf().map_err(|error| Failure::system(format!("cannot read: {error}")))?;
        match held.first() {
            Some(b' ' | b'\n' | b'\r' | b'\t') => {
                blank = true;
                input.consume(1);
            }
            Some(byte) => return Ok(*byte),
            None if blank => {
                return Err(Failure::damaged("the document is cut off: found white space, expected JSON"));
            }
            None => return Err(Failure::damaged("no extents document: found nothing, expected JSON")),
        }
    }
}
