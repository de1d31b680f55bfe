//! Where the blocks come from: the extents of a disk, a scan of it, or a stream.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use extents::failure::{Failure, Status};
use extents::filter::Messages;
use extents::image_file::ImageFile;
use extents::unit_set::UnitSet;

use crate::block::Fit;
use crate::disk::{DiskPlan, all_blocks, blocks_with_data};
use crate::extents_source::Extents;
use crate::files::Files;
use crate::pipe;
use crate::plan::Plan;
use crate::stdin::Stdin;
use crate::stream::StreamPlan;

/// What the user asked to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The blocks that a document names.
    Extents {
        /// The document; `-` is standard input.
        file: PathBuf,
        /// Scan if the document can not be read.
        fallback: bool,
    },
    /// The whole disk.
    Scan {
        /// But for what the file system reports as holes.
        skip_holes: bool,
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
    /// By reading the whole disk.
    Scan(String),
}

impl Origin {
    /// One word.
    pub fn name(&self) -> &'static str {
        match self {
            Origin::Extents(_) => "extents",
            Origin::Scan(_) => "scan",
        }
    }

    /// A sentence.
    pub fn reason(&self) -> &str {
        match self {
            Origin::Extents(reason) | Origin::Scan(reason) => reason,
        }
    }
}

impl Source {
    /// Opens `disk`, and reads its extents to their end.
    pub fn open(disk: &Path, wish: &Wish, fit: Fit, messages: Messages) -> Result<Self, Failure> {
        match wish {
            Wish::Scan { skip_holes } if disk.as_os_str() == "-" && !stdin_is_seekable() => {
                Source::stream(*skip_holes, fit)
            }
            _ => Source::disk(disk, wish, fit, messages),
        }
    }

    fn disk(disk: &Path, wish: &Wish, fit: Fit, messages: Messages) -> Result<Self, Failure> {
        let disk = ImageFile::open(disk)?;
        let archived_size = fit.archived_size(disk.size()).map_err(|failure| failure.in_file(disk.path()))?;
        let (blocks, origin) = match wish {
            Wish::Scan { skip_holes: false } => (all_blocks(disk.size()), Origin::Scan("--scan".to_owned())),
            Wish::Scan { skip_holes: true } => {
                (blocks_with_data(&disk)?, Origin::Scan("--scan --skip-holes".to_owned()))
            }
            Wish::Extents { file, fallback } => extents_or_scan(&disk, file, *fallback, messages)?,
        };
        let (files, number) = Files::of_disk(disk);
        let plan = DiskPlan::new(blocks, files.get(number)?, number, archived_size);
        Ok(Source { total: Some(plan.bytes()), plan: Box::new(plan), files, origin })
    }

    fn stream(skip_holes: bool, fit: Fit) -> Result<Self, Failure> {
        if skip_holes {
            return Err(Failure::usage(
                "a pipe has no holes to skip: --skip-holes needs a file or block device",
            ));
        }
        extents::filter::refuse_terminal_input("a disk")?;
        let input = Stdin::open()?;
        pipe::enlarge(&input);
        Ok(Source {
            plan: Box::new(StreamPlan::new(input, fit)),
            files: Files::none(),
            total: None,
            origin: Origin::Scan("--scan".to_owned()),
        })
    }
}

fn stdin_is_seekable() -> bool {
    !io::stdin().is_terminal() && ImageFile::open(Path::new("-")).is_ok()
}

/// The blocks of the document, or all blocks if it can not be read and that is allowed.
fn extents_or_scan(
    disk: &ImageFile,
    file: &Path,
    fallback: bool,
    messages: Messages,
) -> Result<(UnitSet, Origin), Failure> {
    let name = if file.as_os_str() == "-" { Path::new("standard input") } else { file };
    match Extents::read(file) {
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
