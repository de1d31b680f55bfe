//! The batmap, tapdisk's addition: a bit for each block whose every sector is written, so that its bitmap need not be
//! read. A clear bit says nothing, and it is no allocation map.
//!
//! It is a short cut only, so anything odd about it means to go without. Source: blktap, `include/vhd.h`, and
//! `vhd_checksum_batmap` for its checksum, which is that of the bits and not of the header.

use extents::failure::Failure;
use extents::image::file::ImageFile;
use extents::image::window::Window;
use nom::IResult;
use nom::bytes::complete::{tag, take};
use nom::number::complete::{be_u8, be_u32, be_u64};

use crate::blocks::SECTOR;
use crate::checksum;

/// Bytes of the header that mean something.
const HEADER: usize = 94;
/// Bytes at its end that are zeros unless the blocks are encrypted: a flag, a nonce, the hash of the key.
const KEY_HASH: usize = 65;
/// Bits are read so many bytes at a time: 32 768 blocks.
const WINDOW: usize = 4 << 10;
/// In version 1.1 the checksum was summed up from signed bytes; such batmaps are left alone.
const VERSION: u32 = 0x0001_0002;

/// A batmap whose checksum is right.
#[derive(Debug)]
pub(crate) struct Batmap<'a> {
    file: &'a ImageFile,
    /// File offset of the bits in bytes, and the end of them.
    start: u64,
    end: u64,
    window: Window,
}

struct Header {
    /// File offset of the bits in bytes.
    offset: u64,
    sectors: u32,
    version: u32,
    checksum: u32,
    encrypted: bool,
}

fn header(i: &[u8]) -> IResult<&[u8], Header> {
    let (i, _) = tag(&b"tdbatmap"[..])(i)?;
    let (i, offset) = be_u64(i)?;
    let (i, sectors) = be_u32(i)?;
    let (i, version) = be_u32(i)?;
    let (i, checksum) = be_u32(i)?;
    let (i, _marker) = be_u8(i)?;
    let (i, key_hash) = take(KEY_HASH)(i)?;
    let fields =
        Header { offset, sectors, version, checksum, encrypted: key_hash.iter().any(|&byte| byte != 0) };
    Ok((i, fields))
}

/// The header at byte `at` of `file`; none when there is none.
fn read_header(file: &ImageFile, at: u64) -> Result<Option<Header>, Failure> {
    let mut bytes = [0; HEADER];
    if !file.contains(at, HEADER as u64) {
        return Ok(None);
    }
    file.read_exact_at(&mut bytes, at, "batmap header")?;
    Ok(header(&bytes).ok().map(|(_, header)| header))
}

/// Whether the batmap whose header lies at byte `at` has the hash of a key: then the data of the blocks is encrypted.
pub(crate) fn is_encrypted(file: &ImageFile, at: u64) -> Result<bool, Failure> {
    Ok(read_header(file, at)?.is_some_and(|header| header.encrypted))
}

impl<'a> Batmap<'a> {
    /// The batmap whose header lies at byte `at`, right after the BAT; none when there is none, or it is unsound: also
    /// when it has room for more than `entries` blocks and the padding of a sector.
    pub(crate) fn find(file: &'a ImageFile, at: u64, entries: u64) -> Result<Option<Self>, Failure> {
        let Some(Header { offset: start, sectors, version: VERSION, checksum, .. }) = read_header(file, at)?
        else {
            return Ok(None);
        };
        let length = u64::from(sectors) * SECTOR;
        if length > entries.div_ceil(8).next_multiple_of(SECTOR) || !file.contains(start, length) {
            return Ok(None);
        }
        let mut batmap = Batmap { file, start, end: start + length, window: Window::new(WINDOW) };
        Ok((batmap.checksum()? == checksum).then_some(batmap))
    }

    fn checksum(&mut self) -> Result<u32, Failure> {
        let (mut at, mut sum) = (self.start, 0_u32);
        while at < self.end {
            let bytes = self.window.read(self.file, at, self.end, "batmap")?;
            sum = sum.wrapping_add(checksum::sum(bytes));
            at += bytes.len() as u64;
        }
        Ok(!sum)
    }

    /// Whether every sector of `block` is written.
    pub(crate) fn is_full(&mut self, block: u64) -> Result<bool, Failure> {
        let at = self.start + block / 8;
        if at >= self.end {
            return Ok(false);
        }
        let bytes = self.window.read(self.file, at, self.end, "batmap")?;
        Ok(bytes.first().is_some_and(|byte| byte >> (7 - block % 8) & 1 == 1))
    }
}
