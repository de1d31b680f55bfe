//! Where the blocks come from: a disk with its extents, a disk that is scanned, a stream, or a map.

use std::io::{self, Cursor, Read, Seek};
use std::sync::Arc;

use extents::document::union::Union;
use extents::extent::unit_set::UnitSet;
use extents::failure::{Failure, Status};
use extents::frame::document_input;
use extents::frame::input::InputName;
use extents::frame::messages::Messages;
use extents::image::file::ImageFile;
use extents::image::magic::{self, Kind};

use crate::host::pipe;
use crate::pack::block_stream::BlockStream;
use crate::pack::disk_plan::{DiskPlan, all_blocks, blocks_with_data};
use crate::pack::feed::Feed;
use crate::pack::files::Files;
use crate::pack::map_plan::MapPlan;
use crate::xva::block::BLOCK_BITS;
use crate::xva::fit::Fit;

/// What the user asked to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The blocks of a disk that a document names.
    Extents {
        /// A raw file or block device.
        disk: InputName,
        /// The document.
        document: InputName,
        /// Scan the disk if the document cannot be read.
        fallback: bool,
    },
    /// The whole disk.
    Scan {
        /// A raw file or block device; standard input may be a pipe.
        disk: InputName,
        /// Leave out what the file system reports as holes.
        skip_holes: bool,
    },
    /// The disk that a map puts together from files.
    Map {
        /// The map.
        map: InputName,
    },
}

impl Request {
    /// What is read, each with what it is.
    pub fn inputs(&self) -> Vec<(&'static str, &InputName)> {
        match self {
            Request::Extents { disk, document, .. } => vec![("DISK", disk), ("the extents", document)],
            Request::Scan { disk, .. } => vec![("DISK", disk)],
            Request::Map { map } => vec![("the map", map)],
        }
    }
}

/// What will be read, and from where.
pub struct Source {
    /// The blocks.
    pub feed: Feed,
    /// The files that they lie in.
    pub files: Arc<Files>,
    /// Bytes to be read, if they are known and there are any.
    pub total: Option<u64>,
    /// Bytes of the disk, if they are known and the total is not. Only what shows the progress relies on it.
    pub disk_size: Option<u64>,
    /// For the report.
    pub origin: Origin,
}

/// How it is known which blocks hold data, and why it was done so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a document.
    Extents(String),
    /// From a map.
    Map(String),
    /// By reading the whole disk.
    Scan(String),
}

impl Origin {
    /// The word that `--report` uses.
    pub fn name(&self) -> &'static str {
        match self {
            Origin::Extents(_) => "extents",
            Origin::Map(_) => "map",
            Origin::Scan(_) => "scan",
        }
    }

    /// Why, as a sentence for `--report` and `-v`.
    pub fn reason(&self) -> &str {
        match self {
            Origin::Extents(reason) | Origin::Map(reason) | Origin::Scan(reason) => reason,
        }
    }
}

impl Source {
    /// Opens what is asked for, and reads the extents to their end. A map that is a file is read to its end too;
    /// one from a pipe is followed. With `read_ahead` the kernel is told what will be read.
    pub fn open(request: &Request, fit: Fit, read_ahead: bool, messages: Messages) -> Result<Self, Failure> {
        match request {
            Request::Extents { disk, document, fallback } => {
                let (disk, archived_size) = check_disk(disk.open_image()?, fit, messages)?;
                let (blocks, origin) = extents_or_scan(&disk, document, *fallback, messages)?;
                Source::disk(disk, archived_size, blocks, origin, read_ahead)
            }
            Request::Scan { disk, skip_holes } => {
                let opened = disk.open_image();
                if opened.is_err() && *disk == InputName::Stdin {
                    return Source::stream(*skip_holes, fit);
                }
                let (disk, archived_size) = check_disk(opened?, fit, messages)?;
                let (blocks, reason) = if *skip_holes {
                    (blocks_with_data(&disk)?, "--scan --skip-holes")
                } else {
                    (all_blocks(disk.size())?, "--scan")
                };
                Source::disk(disk, archived_size, blocks, Origin::Scan(reason.to_owned()), read_ahead)
            }
            Request::Map { map } => Source::map(map, fit, read_ahead),
        }
    }

    fn disk(
        disk: ImageFile,
        archived_size: u64,
        blocks: UnitSet,
        origin: Origin,
        read_ahead: bool,
    ) -> Result<Self, Failure> {
        let (files, number) = Files::of_disk(disk)?;
        let plan = DiskPlan::new(blocks, (files.get(number)?, number), archived_size, read_ahead)?;
        let total = Some(plan.bytes());
        Ok(Source { feed: Feed::Jobs(Box::new(plan.map(Ok))), files, total, disk_size: None, origin })
    }

    fn stream(skip_holes: bool, fit: Fit) -> Result<Self, Failure> {
        if skip_holes {
            return Err(Failure::usage(
                "a pipe has no holes to skip: --skip-holes needs a file or block device",
            ));
        }
        let input = InputName::Stdin.open("a disk")?;
        pipe::enlarge(&input);
        let feed = Feed::Stream(BlockStream::new(input, fit));
        let (files, origin) = (Files::new(), Origin::Scan("--scan".to_owned()));
        Ok(Source { feed, files, total: None, disk_size: fit.expected, origin })
    }

    fn map(map: &InputName, fit: Fit, read_ahead: bool) -> Result<Self, Failure> {
        let files = Files::new();
        let name = map.name().to_path_buf();
        let origin = Origin::Map(format!("read from {}", name.display()));
        let cannot = |what: &'static str| move |error: io::Error| Failure::io(map.name(), what, &error);
        let mut input = map.open("a map")?;
        let mut total = None;
        let mut beginning = document_input::beginning(&mut input, map, "a map")?;
        let is_file = input.0.metadata().map_err(cannot("cannot stat"))?.is_file();
        if is_file && *map != InputName::Stdin {
            beginning.clear();
            input.0.rewind().map_err(cannot("cannot seek"))?;
            // Once through: whether it is sound, and how much there is to read, is known before the first byte.
            let jobs = MapPlan::new(&input.0, name.clone(), Arc::clone(&files), fit, false);
            let bytes = jobs.map(|job| Ok(job?.bytes_to_read())).sum::<Result<u64, Failure>>()?;
            total = (bytes > 0).then_some(bytes);
            input.0.rewind().map_err(cannot("cannot seek"))?;
        }
        let mut plan =
            MapPlan::new(Cursor::new(beginning).chain(input), name, Arc::clone(&files), fit, read_ahead);
        let disk_size = plan.virtual_size()?.or(fit.expected);
        Ok(Source { feed: Feed::Jobs(Box::new(plan)), files, total, disk_size, origin })
    }
}

/// The disk, and how many bytes of it the archive will hold. A guest can write any magic into its raw disk, so that what
/// looks like something else is packed all the same.
fn check_disk(disk: ImageFile, fit: Fit, messages: Messages) -> Result<(ImageFile, u64), Failure> {
    let name = disk.path();
    for format in magic::formats_of_file(&disk)?.into_iter().filter(|format| format.kind != Kind::Raw) {
        messages.warn(format!(
            "{}: looks like {format}: its bytes are packed as they are, as those of a raw disk",
            name.display()
        ));
    }
    let archived_size = fit.archived_size(disk.size()).map_err(|failure| failure.in_file(name))?;
    Ok((disk, archived_size))
}

/// The blocks of the document, or all blocks if it cannot be read and that is allowed.
fn extents_or_scan(
    disk: &ImageFile,
    document: &InputName,
    fallback: bool,
    messages: Messages,
) -> Result<(UnitSet, Origin), Failure> {
    let name = document.name();
    let extents = document_input::open(document, "an extents document")
        .and_then(|input| Union::read(BLOCK_BITS, input, name));
    match extents {
        Ok(extents) if extents.virtual_size() == disk.size() => {
            Ok((extents.into_data(), Origin::Extents(format!("read from {}", name.display()))))
        }
        // One of the two is not the disk that was meant.
        Ok(extents) => Err(Failure::damaged(format!(
            "the extents are about another disk: found virtual_size {}, expected {} as the size of {}",
            extents.virtual_size(),
            disk.size(),
            disk.path().display()
        ))
        .in_file(name)),
        Err(failure) if fallback && failure.status() != Status::Usage => {
            messages.warn(format!("{failure}; reading the whole disk instead"));
            Ok((all_blocks(disk.size())?, Origin::Scan(failure.to_string())))
        }
        Err(failure) => Err(failure),
    }
}
