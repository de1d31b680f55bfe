//! The extents of one disk, printed while the walk goes over the headers of its archive.

use std::io::Write;
use std::path::PathBuf;

use extents::document::print::{Printer, Printing};
use extents::extent::Content;
use extents::failure::Failure;

use crate::index::tar_extents::TarExtents;
use crate::unpack::frames::Frames;
use crate::unpack::report::Archive;
use crate::unpack::sink::{BlockPlace, Sink};

/// Disks that a sentence names.
const MAX_NAMES: usize = 10;

/// The disk that is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its directory in the archive.
    pub prefix: String,
    /// Bytes.
    pub size: u64,
}

impl Chosen {
    /// The disk of `archive` that is `wanted`, or the only one, once all of the archive was read.
    ///
    /// Status 2 if it is not known which disk is meant.
    pub fn of_archive(wanted: Option<&str>, archive: &Archive) -> Result<Self, Failure> {
        let disks = archive.disks.iter().map(|disk| (disk.prefix.as_str(), disk.size));
        match choose(wanted, disks)? {
            Some(chosen) => Ok(chosen),
            None => Err(Failure::usage("has no disk: expected one whose extents are wanted")),
        }
    }
}

fn choose<'d>(
    wanted: Option<&str>,
    disks: impl Iterator<Item = (&'d str, u64)>,
) -> Result<Option<Chosen>, Failure> {
    let is_meant = |(prefix, _): &(&str, u64)| wanted.is_none_or(|wanted| wanted == *prefix);
    let disks: Vec<_> = disks.filter(is_meant).collect();
    match *disks {
        [] => Ok(None),
        [(prefix, size)] => Ok(Some(Chosen { prefix: prefix.to_owned(), size })),
        _ => {
            let names: Vec<&str> = disks.iter().take(MAX_NAMES).map(|(prefix, _)| *prefix).collect();
            let (found, names) = (disks.len(), names.join(", "));
            let more = if found > MAX_NAMES { ", ..." } else { "" };
            Err(Failure::usage(format!(
                "holds more than one disk: found {found}, expected --disk with one of them: {names}{more}"
            )))
        }
    }
}

/// Prints the extents of a disk as soon as it is known which one that is, and of how many bytes.
#[derive(Debug)]
pub struct DiskExtents<'a, W: Write> {
    archive: PathBuf,
    /// Where its blocks are if it is compressed.
    frames: Option<Frames<'a>>,
    /// The disk that is asked for, if its archive may have others.
    wanted: Option<String>,
    /// The disks that the metadata announced, and their sizes.
    expected: Vec<(String, u64)>,
    chosen: Option<Chosen>,
    printer: Printer,
    out: Option<W>,
    begun: Option<(Printing<W>, TarExtents)>,
}

impl<'a, W: Write> DiskExtents<'a, W> {
    /// Those of the disk `wanted` of `archive`, which is compressed in `frames`, or of the only one. `chosen` is known of an archive that was read before;
    /// otherwise `ova.xml` says it, or nothing is printed. The size that `printer` has is not looked at.
    pub fn new(
        archive: PathBuf,
        frames: Option<Frames<'a>>,
        wanted: Option<&str>,
        chosen: Option<Chosen>,
        printer: Printer,
        out: W,
    ) -> Self {
        let wanted = wanted.map(str::to_owned);
        DiskExtents {
            archive,
            frames,
            wanted,
            expected: Vec::new(),
            chosen,
            printer,
            out: Some(out),
            begun: None,
        }
    }

    /// Whether it was known before the first block came which disk is printed. Otherwise all of the archive tells: it has no
    /// metadata, or blocks of a disk of which the metadata announces none.
    pub fn is_chosen(&self) -> bool {
        self.chosen.is_some() || self.expected().is_ok_and(|expected| expected.is_some())
    }

    fn expected(&self) -> Result<Option<Chosen>, Failure> {
        let disks = self.expected.iter().map(|(prefix, size)| (prefix.as_str(), *size));
        choose(self.wanted.as_deref(), disks).map_err(|failure| failure.in_file(&self.archive))
    }

    /// Completes what is printed, once all of the archive was read.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.begin_printing()?;
        let Some((mut printing, mut extents)) = self.begun else {
            return Err(Failure::usage("has no such disk").in_file(&self.archive));
        };
        extents.rest().map_or(Ok(()), |extent| printing.push(extent))?;
        printing.finish()
    }

    fn begin_printing(&mut self) -> Result<(), Failure> {
        if self.chosen.is_none() {
            self.chosen = self.expected()?;
        }
        if let (Some(chosen), Some(out)) = (&self.chosen, self.out.take()) {
            self.printer.virtual_size = chosen.size;
            self.begun = Some((self.printer.begin(out)?, TarExtents::new(chosen.size)));
        }
        Ok(())
    }
}

impl<W: Write> Sink for DiskExtents<'_, W> {
    fn wants(&self, _: &str) -> bool {
        false
    }

    fn expect(&mut self, prefix: &str, size: u64) -> Result<(), Failure> {
        self.expected.push((prefix.to_owned(), size));
        Ok(())
    }

    fn begin(&mut self, _: &str, _: Option<u64>) -> Result<(), Failure> {
        Ok(())
    }

    fn block(&mut self, place: &BlockPlace<'_>) -> Result<(), Failure> {
        self.begin_printing()?;
        if self.chosen.as_ref().is_none_or(|chosen| chosen.prefix != place.prefix) {
            return Ok(());
        }
        let Some((printing, extents)) = &mut self.begun else { return Ok(()) };
        let frames = self.frames.as_mut().filter(|_| place.size > 0);
        let stored = frames.map(|frames| frames.locate(place.byte, place.size)).transpose()?;
        extents.block(place.offset, place.size, place.byte).try_for_each(|mut extent| {
            if let (Some(stored), Content::Data(_)) = (stored, extent.content) {
                extent.content = Content::Data(stored.without_front(extent.start - place.offset));
            }
            printing.push(extent)
        })
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, _: u64, _: bool) -> Result<(), Failure> {
        Ok(())
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_disk_is_meant_where_none_is_named() {
        let disks = [("a", 1), ("b", 2)];
        let chosen = |prefix: &str, size| Ok(Some(Chosen { prefix: prefix.to_owned(), size }));
        assert_eq!(choose(None, disks[..1].iter().copied()), chosen("a", 1));
        assert_eq!(choose(Some("b"), disks.iter().copied()), chosen("b", 2));
        assert_eq!(choose(Some("c"), disks.iter().copied()), Ok(None));
        assert_eq!(choose(None, [].into_iter()), Ok(None));
        let failure = choose(None, disks.iter().copied()).unwrap_err();
        assert_eq!(failure.status() as u8, 2);
        assert!(failure.to_string().ends_with("with one of them: a, b"), "{failure}");
        let many = vec![("x", 0); 11];
        assert!(choose(None, many.iter().copied()).unwrap_err().to_string().ends_with("x, ..."));
    }
}
