//! Where the blocks come from: a disk with its extents, a disk that is scanned, a stream, or a map.

use std::fs::File;
use std::io::{self, IsTerminal, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use extents::extent::unit_set::UnitSet;
use extents::failure::{Failure, Status};
use extents::frame::{self, Messages};
use extents::image::file::ImageFile;

use crate::host::pipe;
use crate::host::progress::is_stdout;
use crate::pack::disk_plan::{DiskPlan, all_blocks, blocks_with_data};
use crate::pack::extents_source::Extents;
use crate::pack::files::Files;
use crate::pack::map_plan::MapPlan;
use crate::pack::member_pair::MemberPair;
use crate::pack::plan::Plan;
use crate::pack::stream_plan::StreamPlan;
use crate::xva::block::Fit;

/// What the user asked to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The blocks of a disk that a document names.
    Extents {
        /// A raw file or block device.
        disk: PathBuf,
        /// The document; `-` is standard input.
        document: PathBuf,
        /// Scan the disk if the document cannot be read.
        fallback: bool,
    },
    /// The whole disk.
    Scan {
        /// A raw file or block device; `-` is standard input, which may be a pipe.
        disk: PathBuf,
        /// Leave out what the file system reports as holes.
        skip_holes: bool,
    },
    /// The disk that a map puts together from files.
    Map {
        /// The map; `-` is standard input.
        map: PathBuf,
    },
}

/// What will be read, and from where.
pub struct Source {
    /// The blocks.
    pub plan: Box<dyn Plan>,
    /// The files that they lie in.
    pub files: Arc<Files>,
    /// Bytes to be read, if they are known.
    pub total: Option<u64>,
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
    /// One word.
    pub fn name(&self) -> &'static str {
        match self {
            Origin::Extents(_) => "extents",
            Origin::Map(_) => "map",
            Origin::Scan(_) => "scan",
        }
    }

    /// A sentence.
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
                let (disk, archived_size) = open_disk(disk, fit)?;
                let (blocks, origin) = extents_or_scan(&disk, document, *fallback, messages)?;
                Source::disk(disk, archived_size, blocks, origin, read_ahead)
            }
            Request::Scan { disk, skip_holes } if is_stdin(disk) && !stdin_is_seekable() => {
                Source::stream(*skip_holes, fit)
            }
            Request::Scan { disk, skip_holes } => {
                let (disk, archived_size) = open_disk(disk, fit)?;
                let (blocks, reason) = if *skip_holes {
                    (blocks_with_data(&disk)?, "--scan --skip-holes")
                } else {
                    (all_blocks(disk.size()), "--scan")
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
        let plan = DiskPlan::new(blocks, (files.get(number)?, number), archived_size, read_ahead);
        Ok(Source { total: Some(plan.bytes()), plan: Box::new(plan), files, origin })
    }

    fn stream(skip_holes: bool, fit: Fit) -> Result<Self, Failure> {
        if skip_holes {
            return Err(Failure::usage(
                "a pipe has no holes to skip: --skip-holes needs a file or block device",
            ));
        }
        let input = frame::input("a disk")?;
        pipe::enlarge(&input);
        let plan = Box::new(StreamPlan::new(input, fit));
        Ok(Source { plan, files: Files::new(), total: None, origin: Origin::Scan("--scan".to_owned()) })
    }

    fn map(map: &Path, fit: Fit, read_ahead: bool) -> Result<Self, Failure> {
        let files = Files::new();
        let name = named(map).to_path_buf();
        let origin = Origin::Map(format!("read from {}", name.display()));
        if is_stdin(map) {
            let plan =
                Box::new(MapPlan::new(frame::input("a map")?, name, Arc::clone(&files), fit, read_ahead));
            return Ok(Source { plan, files, total: None, origin });
        }
        let cannot = |what: &'static str| move |error: io::Error| Failure::io(map, what, &error);
        let mut input = File::open(map).map_err(cannot("cannot open"))?;
        let mut total = None;
        if input.metadata().map_err(cannot("cannot stat"))?.is_file() {
            // Once through: whether it is sound, and how much there is to read, is known before the first byte.
            let mut bytes = 0;
            let mut plan = MapPlan::new(&input, name.clone(), Arc::clone(&files), fit, false);
            let mut memory = MemberPair::new();
            while let Some(job) = plan.next(&mut memory)? {
                bytes += job.bytes_to_read();
            }
            total = Some(bytes);
            input.rewind().map_err(cannot("cannot seek"))?;
        }
        let plan = Box::new(MapPlan::new(input, name, Arc::clone(&files), fit, read_ahead));
        Ok(Source { plan, files, total, origin })
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What a file is called in messages.
fn named(file: &Path) -> &Path {
    if is_stdin(file) { Path::new("standard input") } else { file }
}

/// The disk, and how many bytes of it the archive will hold.
fn open_disk(disk: &Path, fit: Fit) -> Result<(ImageFile, u64), Failure> {
    let disk = ImageFile::open(disk)?;
    if is_stdout(disk.as_file()) {
        return Err(Failure::usage("is where the archive goes: expected another").in_file(disk.path()));
    }
    let archived_size = fit.archived_size(disk.size()).map_err(|failure| failure.in_file(disk.path()))?;
    Ok((disk, archived_size))
}

fn stdin_is_seekable() -> bool {
    !io::stdin().is_terminal() && ImageFile::open(Path::new("-")).is_ok()
}

/// The blocks of the document, or all blocks if it cannot be read and that is allowed.
fn extents_or_scan(
    disk: &ImageFile,
    document: &Path,
    fallback: bool,
    messages: Messages,
) -> Result<(UnitSet, Origin), Failure> {
    let name = named(document);
    match Extents::read(document) {
        Ok(extents) if extents.virtual_size == disk.size() => {
            Ok((extents.blocks, Origin::Extents(format!("read from {}", name.display()))))
        }
        // One of the two is not the disk that was meant.
        Ok(extents) => Err(Failure::damaged(format!(
            "the extents are about another disk: found virtual_size {}, expected {} as the size of {}",
            extents.virtual_size,
            disk.size(),
            disk.path().display()
        ))
        .in_file(name)),
        Err(failure) if fallback && failure.status() != Status::Usage => {
            messages.warn(format!("{failure}; reading the whole disk instead"));
            Ok((all_blocks(disk.size()), Origin::Scan(failure.to_string())))
        }
        Err(failure) => Err(failure),
    }
}
