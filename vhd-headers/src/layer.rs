//! One image of a chain, opened and checked: what it says about each guest byte, as extents.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use extents::extent::Extent;
use extents::extent::walk::{Checked, Extents, Walk};
use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::second_look::{self, Fingerprint};

use crate::body::{Body, parse};
use crate::footer::{DiskType, Footer, UniqueId};
use crate::footer_search;
use crate::granularity::Granularity;
use crate::parent_names::parent_names;
use crate::sector_extents::SectorExtents;

/// 2040 GiB, the largest disk that sm makes and that Hyper-V and qemu open.
const LARGEST_USUAL_SIZE: u64 = 2040 << 30;
/// log2 of the unit of a disk without blocks: the usual block, 2 MiB.
const FLAT_BITS: u32 = 21;

/// An image of a chain.
#[derive(Debug)]
pub struct Layer {
    file: ImageFile,
    virtual_size: u64,
    /// None for a raw image.
    footer: Option<Footer>,
    body: Body,
    /// The fingerprint of the BAT, kept for the first image only: in a parent, a coalesce may fill in what a child hides.
    table: Option<Fingerprint>,
    /// A hash of the names under which the parent was looked for, which may be long.
    parent_names: Option<u64>,
    notes: Vec<String>,
    warnings: Vec<String>,
}

impl Layer {
    /// A raw image: the parent of a differencing disk that gives it no unique id.
    pub(crate) fn raw(file: ImageFile) -> Layer {
        let virtual_size = file.size();
        let notes = vec![format!("{}: taken as a raw image of {virtual_size} bytes", file.path().display())];
        Layer {
            file,
            virtual_size,
            footer: None,
            body: Body::Flat,
            table: None,
            parent_names: None,
            notes,
            warnings: Vec::new(),
        }
    }

    /// Opens a VHD and checks everything that decides where its data is.
    pub(crate) fn open(file: ImageFile) -> Result<Layer, Failure> {
        let (found, body) = parse(&file).map_err(|failure| file.judge(failure))?;
        let footer = found.footer;
        let named = |sentence: String| format!("{}: {sentence}", file.path().display());
        let size = footer.current_size;
        let mut notes: Vec<String> = found.notes.into_iter().map(named).collect();
        let mut warnings: Vec<String> = found.warning.into_iter().map(named).collect();
        if footer.disk_type == DiskType::Fixed {
            notes.push(named(format!("a fixed disk of {size} bytes")));
        }
        if &footer.creator == b"vpc " && footer.chs_size != size {
            notes.push(named(format!(
                "the geometry disagrees with the size: found {} bytes, the disk has {size}; qemu shows the former",
                footer.chs_size
            )));
        }
        if size > LARGEST_USUAL_SIZE {
            warnings.push(named(format!(
                "the disk has {size} bytes: more than {LARGEST_USUAL_SIZE}, which other programs refuse"
            )));
        }
        Ok(Layer {
            file,
            virtual_size: size,
            footer: Some(footer),
            body,
            table: None,
            parent_names: None,
            notes,
            warnings,
        })
    }

    /// The file of the image.
    pub fn file(&self) -> &ImageFile {
        &self.file
    }

    /// Bytes of its disk.
    pub(crate) fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// log2 of its block size; that of the usual block when it has no blocks.
    pub fn cluster_bits(&self) -> u32 {
        match &self.body {
            Body::Flat => FLAT_BITS,
            Body::Sparse(sparse) => sparse.block_bits(),
        }
    }

    /// Its unique id; none for a raw image.
    pub(crate) fn unique_id(&self) -> Option<UniqueId> {
        self.footer.map(|footer| footer.unique_id)
    }

    /// The unique id of its parent; none when that is a raw image, or there is none.
    pub(crate) fn parent_id(&self) -> Option<UniqueId> {
        let Body::Sparse(sparse) = &self.body else { return None };
        sparse.parent().map(|header| header.parent_id).filter(|id| !id.is_null())
    }

    /// The names of its parent, best first; none when it has no parent. They must stay what they are.
    pub(crate) fn remember_parent_names(&mut self) -> Result<Option<Vec<PathBuf>>, Failure> {
        let names = self.read_parent_names()?;
        self.parent_names = Some(hash_of(names.as_deref()));
        Ok(names)
    }

    fn read_parent_names(&self) -> Result<Option<Vec<PathBuf>>, Failure> {
        match &self.body {
            Body::Flat => Ok(None),
            Body::Sparse(sparse) => {
                sparse.parent().map(|header| parent_names(header, &self.file)).transpose()
            }
        }
    }

    /// Makes its BAT one that must stay what it is.
    pub(crate) fn remember_table(&mut self) -> Result<(), Failure> {
        self.table = self.table_fingerprint()?;
        Ok(())
    }

    /// The fingerprint of its BAT; none without blocks.
    fn table_fingerprint(&self) -> Result<Option<Fingerprint>, Failure> {
        match &self.body {
            Body::Flat => Ok(None),
            Body::Sparse(sparse) => sparse.table_fingerprint(&self.file).map(Some),
        }
    }

    /// What was found and decided, for people who ask.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What people should know although the answer is right.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Status 4 when the data of its blocks is encrypted: where it lies is known, but not what it is.
    pub(crate) fn check_readable(&self) -> Result<(), Failure> {
        match &self.body {
            Body::Flat => Ok(()),
            Body::Sparse(sparse) => sparse.check_readable(&self.file),
        }
    }

    /// Reads what the walk relies on again: status 1 when it is no longer what it was.
    ///
    /// That a parent grows is no change of the disk: a coalesce writes to it only what a child above hides.
    fn check_unchanged(&self) -> Result<(), Failure> {
        second_look::check_name(&self.file)?;
        if let Some(was) = self.table {
            second_look::compare(&self.file, "the BAT", &Some(was), self.table_fingerprint())?;
        }
        if let Some(was) = &self.footer {
            let now = footer_search::find(&self.file).map(|found| found.footer);
            second_look::compare(&self.file, "the footer", was, now)?;
        }
        if let Body::Sparse(sparse) = &self.body {
            sparse.check_unchanged(&self.file)?;
        }
        if let Some(was) = &self.parent_names {
            let now = self.read_parent_names().map(|names| hash_of(names.as_deref()));
            second_look::compare(&self.file, "the name of the parent", was, now)?;
        }
        Ok(())
    }

    /// The walk over this image alone, as layer number `number`.
    ///
    /// Status 4 when the bitmaps are asked for and are those of an early tapdisk.
    pub(crate) fn extents(&self, number: u16, granularity: Granularity) -> Result<Extents<'_>, Failure> {
        let check = || self.check_unchanged();
        Ok(match (&self.body, granularity) {
            (Body::Flat, _) => {
                Box::new(Checked::new(Extent::whole(number, self.virtual_size).map(Ok).into_iter(), check))
            }
            (Body::Sparse(sparse), Granularity::Block) => {
                Box::new(Checked::new(sparse.block_extents(&self.file, number), check))
            }
            (Body::Sparse(sparse), Granularity::Sector) => {
                Box::new(SectorWalk { extents: sparse.sector_extents(&self.file, number)?, layer: self })
            }
        })
    }
}

/// A walk that reads the bitmaps that can decide.
struct SectorWalk<'a> {
    extents: SectorExtents<'a>,
    layer: &'a Layer,
}

impl Iterator for SectorWalk<'_> {
    type Item = Result<Extent, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.extents.next()
    }
}

impl Walk for SectorWalk<'_> {
    fn look_again(&mut self) -> Result<(), Failure> {
        self.layer.check_unchanged()
    }

    fn skip_to(&mut self, offset: u64) {
        self.extents.skip_to(offset);
    }
}

/// A hash of names.
fn hash_of(names: Option<&[PathBuf]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish()
}
