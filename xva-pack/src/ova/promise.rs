//! `--ova` and `--check-ova`: whether the disk that is packed is the one that the metadata promises, in its place.

use std::io::Read;

use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::image::magic;

use crate::host::progress_bar::Share;
use crate::ova::disk::Disk;
use crate::ova::metadata::{EXPORT_VSN, FILE_NAME, MAX_BYTES, Ova, read};
use crate::xva::member_name::Prefix;

/// The place of a disk in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// It follows `ova.xml` at once.
    pub first: bool,
    /// The end-of-tar follows it.
    pub last: bool,
}

/// What the metadata promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The disk among those that come in the archive, and its bytes.
    pub disk: Share,
    /// Bytes of all of them.
    pub all: u64,
}

/// The bytes of a metadata file. Status 3 for one that is known to be something else.
pub fn load(file: &InputName) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let input = file.open(FILE_NAME)?;
    let read = input.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::io(file.name(), "cannot read", &error))?;
    match magic::formats_of(&bytes, &[], None)[..] {
        [format, ..] if format.id != "xml" => {
            Err(Failure::damaged(format!("is not {FILE_NAME}: found {format}")).in_file(file.name()))
        }
        _ => Ok(bytes),
    }
}

/// The id of the first disk that the metadata expects in the archive; none if there is none, or it cannot be a directory.
pub fn first_disk(xml: &[u8]) -> Result<Option<Prefix>, Failure> {
    let ova = read(xml)?;
    Ok(ova.streamed().next().and_then(|disk| Prefix::parse(&disk.prefix).ok()))
}

/// Yields what the metadata promises of the disk `prefix`.
///
/// Status 3 unless it has `export_vsn` 2, and the disk is expected in the archive and at this place. What else the
/// importer might not like is a warning.
pub fn promised(xml: &[u8], prefix: &str, place: Place, messages: Messages) -> Result<Promise, Failure> {
    let ova = read(xml)?;
    let size = check(&ova, prefix, place)?;
    if let Some(objection) = ova.objections.first().or(ova.missing_fields.first()) {
        messages.warn(format!("ova.xml: the importer may refuse it: {objection}"));
    }
    let highest = ova.streamed().last().is_some_and(|disk| disk.prefix == prefix);
    if highest && !place.last {
        messages.warn(format!("{prefix} is the last disk of ova.xml, but no end-of-tar will be written"));
    }
    Ok(Promise { disk: share(&ova, prefix, size), all: bytes(ova.streamed()) })
}

/// What the disk `prefix`, of `size` bytes, is among those that come in the archive. They come in byte order.
fn share(ova: &Ova, prefix: &str, size: u64) -> Share {
    let earlier = || ova.streamed().filter(|disk| disk.prefix.as_str() < prefix);
    Share { number: earlier().count() + 1, count: ova.streamed().count(), before: bytes(earlier()), size }
}

fn bytes<'a>(disks: impl Iterator<Item = &'a Disk>) -> u64 {
    disks.fold(0, |sum, disk| sum.saturating_add(disk.virtual_size))
}

fn check(ova: &Ova, prefix: &str, place: Place) -> Result<u64, Failure> {
    if ova.export_vsn != EXPORT_VSN {
        return Err(Failure::damaged(format!(
            "export_vsn does not fit: found {}, expected {EXPORT_VSN}",
            ova.export_vsn
        )));
    }
    let Some(disk) = ova.disks.iter().find(|disk| disk.prefix == prefix) else {
        let ids: Vec<&str> = ova.disks.iter().map(|disk| disk.prefix.as_str()).collect();
        return Err(Failure::damaged(format!("no VDI has the id {prefix}: found {}", ids.join(", "))));
    };
    if !disk.streamed {
        return Err(Failure::damaged(format!(
            "VDI {prefix} is not expected in the archive: no VBD other than a CD refers to it, or its SR is of iso"
        )));
    }
    // They are in byte order.
    let lowest = ova.streamed().find(|other| other.prefix < disk.prefix);
    let highest = ova.streamed().filter(|other| other.prefix > disk.prefix).last();
    match lowest {
        Some(lowest) if place.first => {
            let lowest = &lowest.prefix;
            return Err(Failure::damaged(format!(
                "another disk comes first: found {prefix}, expected {lowest}"
            )));
        }
        None if !place.first => {
            return Err(Failure::damaged(format!(
                "{prefix} comes first, right after ova.xml: expected --ova, not --check-ova"
            )));
        }
        _ => {}
    }
    if let Some(highest) = highest.filter(|_| place.last) {
        let highest = &highest.prefix;
        return Err(Failure::damaged(format!(
            "another disk comes last: found {prefix}, expected {highest} before the end-of-tar; see --no-trailer"
        )));
    }
    Ok(disk.virtual_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_packed_in_its_place_alone() {
        let disk = |prefix: &str, streamed| Disk {
            prefix: prefix.to_owned(),
            virtual_size: 512,
            name: String::new(),
            streamed,
        };
        let disks = vec![disk("a", true), disk("b", false), disk("c", true), disk("d", true)];
        let mut ova = Ova { export_vsn: 2, disks, objections: Vec::new(), missing_fields: Vec::new() };
        for (prefix, first, last, refused) in [
            ("a", true, false, None),
            ("a", false, false, Some("comes first, right after ova.xml")),
            ("a", true, true, Some("found a, expected d before the end-of-tar")),
            ("b", false, false, Some("is not expected in the archive")),
            ("c", false, false, None),
            ("c", true, false, Some("found c, expected a")),
            ("d", false, true, None),
            ("d", false, false, None),
            ("e", false, false, Some("no VDI has the id e: found a, b, c, d")),
        ] {
            let found = check(&ova, prefix, Place { first, last }).map_err(|failure| failure.to_string());
            match (&found, refused) {
                (Ok(size), None) => assert_eq!(*size, 512),
                (Err(said), Some(what)) if said.contains(what) => {}
                _ => panic!("{prefix} {first} {last}: {found:?}"),
            }
        }
        let of = |prefix| {
            let Share { number, count, before, size } = share(&ova, prefix, 512);
            (number, count, before, size)
        };
        assert_eq!([of("a"), of("c"), of("d")], [(1, 3, 0, 512), (2, 3, 512, 512), (3, 3, 1024, 512)]);
        ova.export_vsn = 1;
        assert!(check(&ova, "a", Place { first: true, last: false }).is_err());
    }
}
