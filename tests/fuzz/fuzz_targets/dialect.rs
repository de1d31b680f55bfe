//! Documents of every dialect: no panic, and what is read is printed and read back equal.
#![no_main]

use std::path::Path;

use extents::document::document_writer::DocumentWriter;
use extents::document::union::Union;
use libfuzzer_sys::fuzz_target;

fn read(bytes: &[u8], bits: u32) -> Option<Union> {
    Union::read(bits, bytes, Path::new("input")).ok()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (bits, bytes) = (u32::from(input.0 % 63), input.1);
    let Some(union) = read(bytes, bits) else { return };
    let size = union.virtual_size();
    let mut text = Vec::new();
    let mut writer = DocumentWriter::intervals(&mut text, size, bits).unwrap();
    for (first, last) in union.data().runs().take(1000) {
        writer.push(first, last).unwrap();
    }
    writer.finish().unwrap();
    let again = read(&text, bits).unwrap();
    assert_eq!(again.virtual_size(), size);
    assert!(again.data().runs().eq(union.data().runs().take(1000)));
});
