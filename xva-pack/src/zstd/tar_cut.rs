//! Cuts an archive into pieces, of which each becomes a frame: a block with its checksum and all headers that belong to it;
//! what comes before the first block, or is no block; the end-of-tar with what follows it.
//!
//! Where a piece ends depends on nothing but the archive. Names and headers must be those of a sound tar; whether blocks are
//! complete and their checksums right is for `xva-unpack` to say.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use extents::document::failed_stage::Upstream;
use extents::extent::length::in_memory;
use extents::failure::{Failure, Status};
use extents::image::magic::{self, Format, Kind};
use extents::image::shell_word::shell_word;

use crate::xva::extended_header::Overrides;
use crate::xva::member_name::{MemberKind, member_kind};
use crate::xva::tar_header::{self, TarHeader};
use crate::xva::tar_member::{RECORD, padding};

/// Bytes of the largest block, as `xva-unpack` reads it.
const MAX_BLOCK: u64 = 16 << 20;

/// Bytes of a long name or of pax attributes.
const MAX_EXTENDED: u64 = 64 << 10;

/// Bytes of the largest piece of what is no block.
const MAX_OTHER: usize = 1 << 20;

/// The name of the metadata.
const METADATA: &str = "ova.xml";
/// What was expected.
const EXPECTED: &str = "expected an XVA, which begins with ova.xml or a block";

/// An archive that is being cut.
#[derive(Debug)]
pub(crate) struct TarCut<R> {
    input: BufReader<Upstream<R>>,
    /// Its name, if it has one.
    name: Option<PathBuf>,
    /// Bytes read.
    position: u64,
    next: Next,
    /// What was read of the next piece.
    begun: Vec<u8>,
}

/// What comes next.
#[derive(Debug)]
enum Next {
    /// The first member.
    First,
    /// A header of any member.
    Header,
    /// A block of so many bytes and this name; its headers were read.
    Block(String, u64),
    /// The rest of a member that is no block, in bytes.
    Other(u64),
    /// What follows the end-of-tar.
    Rest,
    /// Nothing: the input has ended.
    Nothing,
}

/// What the next header is.
enum Header {
    /// One of the two zero records that end a tar was read, and the other.
    End,
    /// A member, of which the headers were read.
    Member { name: String, size: u64, is_file: bool },
}

impl<R: Read> TarCut<R> {
    /// Nothing is read yet. `name` is that of the input, if it has one.
    pub(crate) fn new(input: R, name: Option<PathBuf>) -> Self {
        // A small buffer: blocks are read past it.
        let input = BufReader::with_capacity(8 << 10, Upstream::new(input));
        TarCut { input, name, position: 0, next: Next::First, begun: Vec::new() }
    }

    /// Bytes of the archive that were read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the last piece was the last of the archive.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }

    /// Puts the next piece into `piece`, which must be empty; `false` at the end of the archive.
    ///
    /// Status 3 for what is no XVA or ends early, 4 for what is compressed or has blocks that are too large. If the filter before
    /// failed, its status.
    pub(crate) fn next_piece(&mut self, piece: &mut Vec<u8>) -> Result<bool, Failure> {
        std::mem::swap(piece, &mut self.begun);
        loop {
            match std::mem::replace(&mut self.next, Next::Header) {
                Next::Block(name, size) => {
                    self.block(piece, &name, size)?;
                    return Ok(true);
                }
                Next::Other(left) => {
                    let room = MAX_OTHER.saturating_sub(piece.len());
                    let now = in_memory(left.min(room as u64));
                    self.read(piece, now, "a member that is no block")?;
                    if left > now as u64 {
                        self.next = Next::Other(left - now as u64);
                        return Ok(true);
                    }
                }
                Next::First => self.first_header(piece)?,
                Next::Header => {
                    let begun = piece.len();
                    let header = self.header(piece, begun)?;
                    if self.follow(header, piece, begun) {
                        return Ok(true);
                    }
                }
                Next::Rest => {
                    let more = self.rest(piece)?;
                    self.next = if more { Next::Rest } else { Next::Nothing };
                    return Ok(true);
                }
                Next::Nothing => {
                    self.next = Next::Nothing;
                    return Ok(false);
                }
            }
        }
    }

    /// Takes note of what a header says comes next. Yields whether the piece ends before that header, which stands in it
    /// from byte `begun` on.
    fn follow(&mut self, header: Header, piece: &mut Vec<u8>, begun: usize) -> bool {
        let ends = match header {
            Header::End => {
                self.next = Next::Rest;
                true
            }
            Header::Member { name, size, is_file } => {
                let is_block = is_file && is_block(&name);
                let stored = size + padding(size) as u64;
                self.next = if is_block { Next::Block(name, size) } else { Next::Other(stored) };
                is_block || begun >= MAX_OTHER
            }
        };
        let ends = ends && begun > 0;
        if ends {
            self.begun.extend(piece.drain(begun..));
        }
        ends
    }

    /// Reads the first header: that of the metadata or of a block.
    fn first_header(&mut self, piece: &mut Vec<u8>) -> Result<(), Failure> {
        self.read_to(piece, RECORD)?;
        if piece.is_empty() {
            return Err(self.upstream_or(Failure::damaged("is empty: expected an XVA")));
        }
        refuse_compressed(piece, self.name.as_deref())?;
        let header = match self.header(piece, 0) {
            Ok(header) => header,
            Err(failure) => {
                let first = piece.first_chunk::<RECORD>();
                let is_tar = first.is_some_and(|record| tar_header::parse(record).is_ok());
                return Err(self.instead(piece, failure, is_tar));
            }
        };
        let found = match &header {
            Header::Member { name, is_file: true, .. } if name == METADATA || is_block(name) => None,
            Header::Member { name, .. } => Some(format!("a tar that begins with {name}")),
            Header::End => Some("an end-of-tar".to_owned()),
        };
        if let Some(found) = found {
            let failure = Failure::damaged(format!("is no XVA: found {found}; {EXPECTED}"));
            let is_tar = matches!(header, Header::Member { .. });
            return Err(self.instead(piece, failure, is_tar));
        }
        self.follow(header, piece, 0);
        Ok(())
    }

    /// The `failure` to find the first member in what begins with `piece`: what it is instead, where that is known. What `is_tar` by
    /// a sound header is a tar, and so is what only looks like one; the mark of a filter that failed is no JSON text.
    fn instead(&mut self, piece: &mut Vec<u8>, failure: Failure, is_tar: bool) -> Failure {
        if failure.status() != Status::Damaged {
            return failure;
        }
        if let Err(failure) = self.read_to(piece, magic::BEGINNING.saturating_sub(piece.len())) {
            return failure;
        }
        if let Some(upstream) = self.input.get_mut().failure() {
            return upstream;
        }
        let found = match magic::formats_of(piece, &[], self.name.as_deref())[..] {
            [Format { id: "tar" | "xva" | "json", .. }, ..] => return failure,
            [format, ..] => format.to_string(),
            [] if is_tar => return failure,
            [] => {
                let size = if piece.len() < magic::BEGINNING { self.position } else { u64::MAX };
                magic::describe_unknown(piece, size)
            }
        };
        Failure::damaged(format!("is no XVA: found {found}; {EXPECTED}"))
    }

    /// Reads a block and its checksum, if it has one.
    fn block(&mut self, piece: &mut Vec<u8>, name: &str, size: u64) -> Result<(), Failure> {
        if size > MAX_BLOCK {
            return Err(Failure::unsupported(format!(
                "{name}: the block is too large: found {size} bytes, expected at most {MAX_BLOCK}"
            )));
        }
        // A block with its headers and its checksum, so that the memory is right at once.
        piece.reserve_exact(in_memory(size) + padding(size) + 3 * RECORD);
        self.read(piece, in_memory(size) + padding(size), name)?;
        let begun = piece.len();
        let header = self.header(piece, begun)?;
        match &header {
            Header::Member { name: next, size, is_file: true }
                if *size <= RECORD as u64
                    && matches!(member_kind(next), MemberKind::Checksum(block, _) if block == name) =>
            {
                self.read(piece, in_memory(*size) + padding(*size), next)
            }
            // Whatever it is, this piece ends here.
            _ => {
                if !self.follow(header, piece, begun) {
                    self.begun.extend(piece.drain(begun..));
                }
                Ok(())
            }
        }
    }

    /// Reads what follows the end-of-tar, as far as there is room; yields whether that was not the end.
    fn rest(&mut self, piece: &mut Vec<u8>) -> Result<bool, Failure> {
        self.read_to(piece, MAX_OTHER.saturating_sub(piece.len()))?;
        let more = self.input.fill_buf().map(|ahead| !ahead.is_empty());
        if more.map_err(|error| self.cannot_read(&error))? {
            return Ok(true);
        }
        match self.input.get_mut().failure() {
            Some(failure) => Err(failure),
            None => Ok(false),
        }
    }

    /// Reads the headers of the next member, or the end-of-tar, into `piece` from byte `begun` on, where the first of them may
    /// stand already.
    fn header(&mut self, piece: &mut Vec<u8>, begun: usize) -> Result<Header, Failure> {
        let mut overrides = Overrides::default();
        let mut zeros = 0;
        let mut from = begun;
        loop {
            self.read_to(piece, RECORD - piece.len().saturating_sub(from).min(RECORD))?;
            let at = self.position;
            let found = piece.get(from..).unwrap_or_default();
            let Ok(record) = <&[u8; RECORD]>::try_from(found) else {
                let what = if found.is_empty() { "found no end-of-tar" } else { "in a tar header" };
                return Err(self.upstream_or(Failure::damaged(format!("ends early, at byte {at}: {what}"))));
            };
            let at = at - RECORD as u64;
            if *record == [0; RECORD] {
                zeros += 1;
                if zeros == 2 {
                    return Ok(Header::End);
                }
                from = piece.len();
                continue;
            }
            zeros = 0;
            let header = tar_header::parse(record).map_err(|what| {
                let failure = Failure::damaged(format!("at byte {at}: {what}"));
                self.upstream_or(failure)
            })?;
            let damaged = |what| Failure::damaged(format!("at byte {at}: {what}"));
            match header.type_flag {
                b'L' => overrides.long_name(self.extended(piece, &header)?),
                b'x' => overrides.pax(self.extended(piece, &header)?).map_err(damaged)?,
                b'K' | b'g' => drop(self.extended(piece, &header)?),
                _ => {
                    let name = overrides.name.unwrap_or_else(|| header.name.clone());
                    let name = String::from_utf8_lossy(&name).trim_start_matches("./").to_owned();
                    let size = overrides.size.unwrap_or(header.size);
                    let is_file = matches!(header.type_flag, 0 | b'0' | b'7') && !name.ends_with('/');
                    if !is_file && size > 0 {
                        let what = format!("{name} is no file: found {size} bytes of data, expected none");
                        return Err(damaged(what));
                    }
                    if size > i64::MAX.cast_unsigned() {
                        return Err(damaged(format!("{name} is too large: found {size} bytes")));
                    }
                    return Ok(Header::Member { name, size, is_file });
                }
            }
            if piece.len() - begun > MAX_OTHER {
                return Err(damaged("found nothing but extended headers, expected a member".to_owned()));
            }
            from = piece.len();
        }
    }

    /// Reads the data of an extended header.
    fn extended<'p>(&mut self, piece: &'p mut Vec<u8>, header: &TarHeader) -> Result<&'p [u8], Failure> {
        if header.size > MAX_EXTENDED {
            return Err(Failure::damaged(format!(
                "at byte {}: an extended header is too long: found {} bytes, expected at most {MAX_EXTENDED}",
                self.position, header.size
            )));
        }
        let (begun, size) = (piece.len(), in_memory(header.size));
        self.read(piece, size + padding(header.size), "an extended header")?;
        Ok(piece.get(begun..begun + size).unwrap_or_default())
    }

    /// Adds `length` bytes to `piece`, which must be there; `what` names what they are.
    fn read(&mut self, piece: &mut Vec<u8>, length: usize, what: &str) -> Result<(), Failure> {
        let begun = piece.len();
        self.read_to(piece, length)?;
        if piece.len() - begun == length {
            return Ok(());
        }
        let at = self.position;
        Err(self.upstream_or(Failure::damaged(format!("ends early, at byte {at}: in {what}"))))
    }

    /// Adds as many bytes to `piece` as there are, up to `length`.
    fn read_to(&mut self, piece: &mut Vec<u8>, length: usize) -> Result<(), Failure> {
        let mut filled = piece.len();
        piece.resize(filled + length, 0);
        while filled < piece.len() {
            match self.input.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.position += count as u64;
                }
                Err(error) => return Err(self.cannot_read(&error)),
            }
        }
        piece.truncate(filled);
        Ok(())
    }

    fn cannot_read(&self, error: &io::Error) -> Failure {
        Failure::system(format!("cannot read at byte {}: {error}", self.position))
    }

    /// Why the input ends where it does: because the filter before failed, or `failure`.
    fn upstream_or(&mut self, failure: Failure) -> Failure {
        self.input.get_mut().failure().unwrap_or(failure)
    }
}

fn is_block(name: &str) -> bool {
    matches!(member_kind(name), MemberKind::Block(..))
}

/// Status 4 for what must be decompressed first, with the command.
fn refuse_compressed(record: &[u8], name: Option<&Path>) -> Result<(), Failure> {
    let name = name.map_or_else(|| "ARCHIVE".to_owned(), shell_word);
    match magic::formats_of(record, &[], None)[..] {
        [Format { id, kind: Kind::Compressed, reader: Some(reader), .. }, ..] => Err(Failure::unsupported(
            format!("is compressed with {id}: expected a tar; try: {reader} {name} | xva-zstd"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
