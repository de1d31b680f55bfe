//! One image of a chain, opened and checked: what it says about each guest byte, as pieces.

use extents::failure::Failure;
use extents::image_file::ImageFile;
use extents::piece::{Content, Piece, Pieces};

use crate::bat::{Allocation, ENTRY, Entries};
use crate::bat_check::Surroundings;
use crate::batmap::{self, Batmap};
use crate::blocks::{Blocks, SECTOR};
use crate::dynamic_header::{self, DynamicHeader};
use crate::footer::{self, DiskType, Footer, UniqueId};
use crate::footer_search;
use crate::sector_pieces::SectorPieces;

/// 2040 GiB, the largest disk that sm makes and that Hyper-V and qemu open.
const LARGEST_USUAL_SIZE: u64 = 2040 << 30;
/// log2 of the unit of a disk without blocks: the usual block, 2 MiB.
const FLAT_BITS: u32 = 21;

/// How fine the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// A block that is in the file counts whole; no bitmap is read.
    Block,
    /// As the sector bitmaps say.
    Sector,
}

/// An image of a chain.
#[derive(Debug)]
pub struct Layer {
    file: ImageFile,
    virtual_size: u64,
    unique_id: Option<UniqueId>,
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

#[derive(Debug)]
struct Sparse {
    header: DynamicHeader,
    blocks: Blocks,
    differencing: bool,
    little_endian_bitmaps: bool,
}

impl Layer {
    /// A raw image: the parent of a differencing disk that gives it no unique id.
    pub fn raw(file: ImageFile) -> Layer {
        let virtual_size = file.size();
        let notes = vec![format!("{}: taken as a raw image of {virtual_size} bytes", file.path().display())];
        Layer { file, virtual_size, unique_id: None, body: Body::Flat, notes, warnings: Vec::new() }
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
                Body::Sparse(open_sparse(&file, &footer, found.data_end)?)
            }
        };
        let named = |sentence: String| format!("{}: {sentence}", file.path().display());
        let size = footer.current_size;
        let mut notes: Vec<String> = found.notes.into_iter().map(named).collect();
        let mut warnings = Vec::new();
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
        let unique_id = Some(footer.unique_id);
        Ok(Layer { file, virtual_size: size, unique_id, body, notes, warnings })
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
            Body::Sparse(sparse) => sparse.blocks.bits,
        }
    }

    /// Its unique id; none for a raw image.
    pub fn unique_id(&self) -> Option<UniqueId> {
        self.unique_id
    }

    /// The header that names its parent; none when it has no parent.
    pub fn parent(&self) -> Option<&DynamicHeader> {
        match &self.body {
            Body::Sparse(sparse) if sparse.differencing => Some(&sparse.header),
            _ => None,
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
            Body::Sparse(sparse) if batmap::is_encrypted(&self.file, sparse.table_end())? => Err(self
                .file
                .unanswerable("its data is encrypted: found a key hash in the batmap, expected none")),
            _ => Ok(()),
        }
    }

    /// The walk over this image alone, as layer number `layer`.
    ///
    /// Status 4 when the bitmaps are asked for and are those of an early tapdisk.
    pub fn pieces(&self, layer: u16, grain: Grain) -> Result<Pieces<'_>, Failure> {
        let sparse = match &self.body {
            Body::Flat => return Ok(Box::new(self.flat(layer).into_iter())),
            Body::Sparse(sparse) => sparse,
        };
        let blocks = sparse.blocks;
        let entries = Entries::new(&self.file, sparse.header.table_offset, blocks.count());
        if grain == Grain::Block {
            let bitmap = blocks.bitmap_bytes();
            return Ok(Box::new(entries.map(move |entry| Ok(block_piece(blocks, bitmap, layer, entry?)))));
        }
        if sparse.little_endian_bitmaps {
            return Err(self.file.unanswerable(
                "the sector bitmaps are those of tapdisk 0.1: found little-endian ones, expected big-endian",
            ));
        }
        let batmap = Batmap::find(&self.file, sparse.table_end())?;
        let unwritten = if sparse.differencing { Content::Absent } else { Content::Zero };
        Ok(Box::new(SectorPieces::new(&self.file, layer, blocks, entries, batmap, unwritten)))
    }

    fn flat(&self, layer: u16) -> Option<Result<Piece, Failure>> {
        let piece =
            Piece { start: 0, length: self.virtual_size, layer, content: Content::Data { offset: 0 } };
        (piece.length > 0).then_some(Ok(piece))
    }
}

/// A block, or a run of absent ones, as a whole. `bitmap` is what lies in the file before the data, in bytes.
fn block_piece(blocks: Blocks, bitmap: u64, layer: u16, entry: Allocation) -> Piece {
    let (first, end, content) = match entry {
        Allocation::Absent { first, end } => (first, end, Content::Absent),
        Allocation::Present { block, offset } => {
            (block, block + 1, Content::Data { offset: offset + bitmap })
        }
    };
    Piece { start: blocks.start(first), length: blocks.bytes(first, end), layer, content }
}

impl Sparse {
    /// File offset after the whole BAT, with its padding.
    fn table_end(&self) -> u64 {
        let length = u64::from(self.header.max_table_entries) * ENTRY;
        // The table was found inside the file.
        self.header.table_offset + length.next_multiple_of(SECTOR)
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

fn open_sparse(file: &ImageFile, footer: &Footer, data_end: u64) -> Result<Sparse, Failure> {
    let mut bytes = [0; dynamic_header::SIZE];
    file.read_exact_at(&mut bytes, footer.data_offset, "dynamic header")?;
    let header = DynamicHeader::read(&bytes, footer.data_offset).map_err(|e| e.in_file(file.path()))?;
    let blocks = Blocks { bits: header.block_bits, virtual_size: footer.current_size };
    let (needed, entries) = (blocks.count(), u64::from(header.max_table_entries));
    if entries < needed {
        return Err(file.damaged(format!(
            "the BAT is too small for a disk of {} bytes: found {entries} entries, expected at least {needed}",
            footer.current_size
        )));
    }
    let table = header.table_offset..header.table_offset.saturating_add(entries * ENTRY);
    file.check_range(table.start, entries * ENTRY, "BAT")?;
    let header_end = footer.data_offset + dynamic_header::SIZE as u64;
    let metadata = [
        (0..footer::SIZE as u64, "the copy of the footer"),
        (footer.data_offset..header_end, "the dynamic header"),
        (table.clone(), "the BAT"),
    ];
    for (range, what) in &metadata[..2] {
        if table.start < range.end && range.start < table.end {
            return Err(file.damaged(format!(
                "the BAT overlaps {what}: found it at byte {}, expected it outside of bytes {} to {}",
                table.start,
                range.start,
                range.end - 1
            )));
        }
    }
    Surroundings { file, table_offset: header.table_offset, blocks, metadata: &metadata, data_end }
        .check()?;
    let differencing = footer.disk_type == DiskType::Differencing;
    let little_endian_bitmaps = footer.has_little_endian_bitmaps();
    Ok(Sparse { header, blocks, differencing, little_endian_bitmaps })
}
