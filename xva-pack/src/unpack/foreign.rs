//! What was given in the place of an archive: a download that is a web page, an image, something compressed. Its owner is told
//! what it is, and not that the checksum of a tar header is wrong.

use extents::extent::length::in_memory;
use extents::failure::Failure;
use extents::image::magic::{self, Format, Kind};
use extents::image::shell_word::shell_word;

use crate::unpack::finding::Stop;
use crate::unpack::input::Input;
use crate::xva::tar_member::RECORD;

/// Bytes of a tar of nothing as GNU tar writes it.
const EMPTY_TAR: u64 = 20 * RECORD as u64;
/// Bytes that are read to see whether all of them are zero.
const LOOKED_AT: u64 = 64 << 20;
/// What was expected.
const EXPECTED: &str = "expected an XVA, which begins with ova.xml";

/// Why there is nothing to read in `input`, of which what was read last, `bytes`, is the first that is not zero, and no sound tar
/// header. None if it seems to be a tar all the same, with a header that is damaged.
pub(crate) fn refuse(input: &mut Input, bytes: &[u8]) -> Result<Option<Stop>, Stop> {
    // A single record of zeros may stand before the first header.
    let zeros = in_memory(input.position()).saturating_sub(bytes.len());
    let mut beginning = [&vec![0; zeros], bytes].concat();
    read_on(input, &mut beginning)?;
    Ok(match formats(&beginning, input)[..] {
        [format, ..] if format.kind == Kind::Archive => None,
        [format, ..] => Some(Stop::Refused(not_an_xva(format, input))),
        [] => {
            let at_end = beginning.len() < magic::BEGINNING;
            let found = magic::describe_unknown(&beginning, if at_end { input.position() } else { u64::MAX });
            Some(Stop::Refused(Failure::damaged(format!(
                "is not an XVA: found {found}{}, {EXPECTED}",
                input.within()
            ))))
        }
    })
}

/// Why there is nothing to read in `input`, which begins with an end-of-tar or is at its end.
pub(crate) fn refuse_empty(input: &mut Input) -> Result<Stop, Stop> {
    let mut beginning = vec![0; in_memory(input.position())];
    read_on(input, &mut beginning)?;
    if let [format, ..] = formats(&beginning, input)[..] {
        return Ok(Stop::Refused(not_an_xva(format, input)));
    }
    let mut is_zero = beginning.iter().all(|&byte| byte == 0);
    let mut at_end = beginning.len() < magic::BEGINNING;
    while is_zero && !at_end && input.position() < LOOKED_AT {
        let count = input.read(&mut beginning)?;
        at_end = count == 0;
        is_zero = beginning.iter().take(count).all(|&byte| byte == 0);
    }
    let length = input.position();
    let found = if !is_zero || !at_end {
        "zeros at its beginning".to_owned()
    } else if length <= EMPTY_TAR {
        return Ok(Stop::Refused(Failure::damaged(format!(
            "is empty{}: expected an archive",
            input.within()
        ))));
    } else {
        format!("{length} zero bytes")
    };
    Ok(Stop::Refused(Failure::damaged(format!("is not an XVA: found {found}{}, {EXPECTED}", input.within()))))
}

/// What `input` is, which begins so. What its name says of it is known, and true, where it is decompressed.
fn formats(beginning: &[u8], input: &Input) -> Vec<Format> {
    magic::formats_of_input(beginning, input.name().path().filter(|_| !input.is_compressed()))
}

/// Reads what follows the `beginning`, as much of it as tells what it is.
fn read_on(input: &mut Input, beginning: &mut Vec<u8>) -> Result<(), Stop> {
    let have = beginning.len();
    beginning.resize(have.max(magic::BEGINNING), 0);
    let read = input.read(&mut beginning[have..])?;
    beginning.truncate(have + read);
    Ok(())
}

/// Why `input`, which is of `format`, is not read.
fn not_an_xva(format: Format, input: &Input) -> Failure {
    let within = input.within();
    match format {
        Format { kind: Kind::Compressed, name: format, reader: Some(reader), .. } => {
            let file = input.name().path().map_or_else(|| "FILE".to_owned(), shell_word);
            let command = match input.outer_reader() {
                Some(outer) => format!("{outer} {file} | {reader}"),
                None => format!("{reader} {file}"),
            };
            Failure::unsupported(format!(
                "is {format}{within}: expected a tar, zstd or gzip; try: {command} | xva-unpack -"
            ))
        }
        _ => Failure::damaged(format!("is not an XVA: found {format}{within}; {EXPECTED}")),
    }
}

/// Why a tar whose first member is called `member` is not an XVA, if it is something else that is known.
pub(crate) fn foreign_tar(member: &str) -> Option<Failure> {
    let is_chunk = member.rsplit('/').next().is_some_and(is_chunk);
    let id = match () {
        () if is_chunk => "geneva",
        () if member.to_ascii_lowercase().ends_with(".ovf") => "ova",
        () => return None,
    };
    let format = magic::by_id(id)?;
    Some(Failure::unsupported(format!("is not an XVA: found {format} (the member {member}), {EXPECTED}")))
}

/// Why `ova.xml` of the content `bytes` is that of no XVA, if it is one of old.
pub(crate) fn foreign_metadata(bytes: &[u8]) -> Option<Failure> {
    let beginning = &bytes[..bytes.len().min(RECORD)];
    let tag = b"<appliance";
    let format = beginning.windows(tag.len()).any(|found| found == tag).then(|| magic::by_id("geneva"))??;
    Some(Failure::unsupported(format!("is not an XVA: found {format} (<appliance> in ova.xml), {EXPECTED}")))
}

/// Whether a file is called as in the XVAs of old: `chunk-000000000.gz`.
fn is_chunk(name: &str) -> bool {
    let digits = name.strip_prefix("chunk-").map(|rest| rest.strip_suffix(".gz").unwrap_or(rest));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
