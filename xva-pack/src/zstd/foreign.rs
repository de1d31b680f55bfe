//! What was given to `xva-zstd` in the place of an archive. Its owner is told what it is, and what reads it.

use extents::failure::{Failure, Status};
use extents::frame::input::InputName;
use extents::image::magic::{self, Format, Kind};
use extents::image::shell_word::shell_word;

use crate::xva::tar_header;
use crate::xva::tar_member::RECORD;

/// The name of the metadata.
pub(crate) const METADATA: &str = "ova.xml";

/// Status 4 for what must be decompressed first, with the command; `record` is the first of it.
pub(crate) fn refuse_compressed(record: &[u8], name: &InputName) -> Result<(), Failure> {
    match magic::formats_of(record, &[], None)[..] {
        [Format { id, kind: Kind::Compressed, reader: Some(reader), .. }, ..] => {
            let name = name.path().map_or_else(|| "ARCHIVE".to_owned(), shell_word);
            Err(Failure::unsupported(format!(
                "is compressed with {id}: expected a tar; try: {reader} {name} | xva-zstd"
            )))
        }
        _ => Ok(()),
    }
}

/// The `failure` to read `record`, the first, as the header of a tar: what it is instead, where that is known. The mark of a
/// filter that failed is no JSON text.
pub(crate) fn no_header(record: &[u8], name: &InputName, failure: Failure) -> Failure {
    if failure.status() != Status::Damaged {
        return failure;
    }
    match magic::formats_of_input(record, name.path())[..] {
        [format, ..] if format.kind != Kind::Archive && format.id != "json" => no_xva(&format.to_string()),
        [] if !is_header(record) => {
            let size = if record.len() < RECORD { record.len() as u64 } else { u64::MAX };
            no_xva(&magic::describe_unknown(record, size))
        }
        _ => failure,
    }
}

/// Why a tar is not an XVA whose first member is called `found`; there is none in what begins with zeros.
pub(crate) fn no_first_member(record: &[u8], name: &InputName, found: Option<&str>) -> Failure {
    match (&magic::formats_of_input(record, name.path())[..], found) {
        ([format, ..], _) if !matches!(format.id, "tar" | "xva") => no_xva(&format.to_string()),
        (_, Some(found)) => no_xva(&format!("a tar that begins with {found}")),
        (_, None) => no_xva("zeros at its beginning"),
    }
}

/// Whether it is that of a tar: not all of them have the word ustar in it, by which it would be known.
fn is_header(record: &[u8]) -> bool {
    record.first_chunk().is_some_and(|record| tar_header::parse(record).is_ok())
}

fn no_xva(found: &str) -> Failure {
    Failure::damaged(format!(
        "is not an XVA: found {found}; expected an XVA, which begins with {METADATA} or a block"
    ))
}
