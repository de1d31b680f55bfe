//! One image of a chain, opened and checked: what it says about each guest byte, as extents.

use extents::extent::{Content, Extent, Extents};
use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::second_look::{self, Fingerprint};

use crate::dynamic_header::DynamicHeader;
use crate::footer::{DiskType, Footer, UniqueId};
use crate::footer_search;
use crate::sparse::{Granularity, Sparse};

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
    notes: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug)]
enum Body {
    /// All of the disk, from byte 0 of the file on: a fixed VHD or a raw image.
    Flat,
    Sparse(Sparse),
}

impl Layer {
    /// A raw image: the parent of a differencing disk that gives it no unique id.
    pub fn raw(file: ImageFile) -> Layer {
        let virtual_size = file.size();
        let notes = vec![format!("{}: taken as a raw image of {virtual_size} bytes", file.path().display())];
        Layer { file, virtual_size, footer: None, body: Body::Flat, notes, warnings: Vec::new() }
    }

    /// Opens a VHD and checks everything that decides where its data is.
    pub fn open(file: ImageFile) -> Result<Layer, Failure> {
        let found = footer_search::find(&file)?;
        let footer = found.footer;
        let body = match footer.disk_type {
            DiskType::Fixed => {
                check_fixed(&file, &footer, found.data_end)?;
                Body::Flat
            }
            DiskType::Dynamic | DiskType::Differencing => {
                Body::Sparse(Sparse::open(&file, &footer, found.data_end)?)
            }
        };
        let named = |sentence: String| format!("{}: {sentence}", file.path().display());
        let size = footer.current_size;
        let mut notes: Vec<String> = found.notes.into_iter().map(named).collect();
        let mut warnings: Vec<String> = found.warning.into_iter().map(named).collect();
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
        Ok(Layer { file, virtual_size: size, footer: Some(footer), body, notes, warnings })
    }

    /// The file of the image.
    pub fn file(&self) -> &ImageFile {
        &self.file
    }

    /// Bytes of its disk.
    pub fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// log2 of its block size; that of the usual block when it has no blocks.
    pub fn block_bits(&self) -> u32 {
        match &self.body {
            Body::Flat => FLAT_BITS,
            Body::Sparse(sparse) => sparse.block_bits(),
        }
    }

    /// Its unique id; none for a raw image.
    pub fn unique_id(&self) -> Option<UniqueId> {
        self.footer.map(|footer| footer.unique_id)
    }

    /// The header that names its parent; none when it has no parent.
    pub fn parent(&self) -> Option<&DynamicHeader> {
        match &self.body {
            Body::Flat => None,
            Body::Sparse(sparse) => sparse.parent(),
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
    pub fn check_readable(&self) -> Result<(), Failure> {
        match &self.body {
            Body::Flat => Ok(()),
            Body::Sparse(sparse) => sparse.check_readable(&self.file),
        }
    }

    /// Reads footer, dynamic header and parent names again: status 1 when they are no longer what they were.
    ///
    /// That a parent grows is no change of the disk: a coalesce writes to it only what a child above hides.
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        if let Some(was) = &self.footer {
            let now = footer_search::find(&self.file).map(|found| found.footer);
            second_look::compare(&self.file, "the footer", was, now)?;
        }
        match &self.body {
            Body::Flat => Ok(()),
            Body::Sparse(sparse) => sparse.check_unchanged(&self.file),
        }
    }

    /// A number for its BAT; none without blocks.
    pub fn table_fingerprint(&self) -> Result<Option<Fingerprint>, Failure> {
        match &self.body {
            Body::Flat => Ok(None),
            Body::Sparse(sparse) => sparse.table_fingerprint(&self.file).map(Some),
        }
    }

    /// The walk over this image alone, as layer number `layer`.
    ///
    /// Status 4 when the bitmaps are asked for and are those of an early tapdisk.
    pub fn extents(&self, layer: u16, granularity: Granularity) -> Result<Extents<'_>, Failure> {
        Ok(match &self.body {
            Body::Flat => Box::new(self.flat(layer).into_iter()),
            Body::Sparse(sparse) => sparse.extents(&self.file, layer, granularity)?,
        })
    }

    fn flat(&self, layer: u16) -> Option<Result<Extent, Failure>> {
        let extent =
            Extent { start: 0, length: self.virtual_size, layer, content: Content::Data { offset: 0 } };
        (extent.length > 0).then_some(Ok(extent))
    }
}

/// Where the trailing footer begins, all of the disk must have ended.
fn check_fixed(file: &ImageFile, footer: &Footer, data_end: u64) -> Result<(), Failure> {
    if footer.current_size > data_end {
        return Err(file.damaged(format!(
            "the data of the fixed disk is cut off: found {data_end} bytes before the footer, expected {}",
            footer.current_size
        )));
    }
    Ok(())
}
