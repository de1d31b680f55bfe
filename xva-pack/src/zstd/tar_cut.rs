//! Cuts an archive into pieces, of which each becomes a frame: a block with its checksum and all headers that belong to it;
//! what comes before the first block, or is no block; the end-of-tar with what follows it.
//!
//! Where a piece ends depends on nothing but the archive. Names and headers must be those of a sound tar; whether blocks are
//! complete and their checksums right is for `xva-unpack` to say.

use std::io::Read;

use extents::extent::length::in_memory;
use extents::failure::Failure;
use extents::frame::input::InputName;

use crate::xva::member_name::{MemberKind, member_kind};
use crate::xva::tar_member::{RECORD, padding};
use crate::zstd::foreign::{METADATA, no_first_member, no_header, refuse_compressed};
use crate::zstd::tar_input::{Header, TarInput};

/// Bytes of the largest block, as `xva-unpack` reads it.
const MAX_BLOCK: u64 = 16 << 20;

/// Bytes of the largest piece of what is no block.
const MAX_OTHER: usize = 1 << 20;

/// An archive that is being cut.
#[derive(Debug)]
pub(crate) struct TarCut<R> {
    input: TarInput<R>,
    /// What the user calls it.
    name: InputName,
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

impl<R: Read> TarCut<R> {
    /// Nothing is read yet. `name` is what the user calls the input.
    pub(crate) fn new(input: R, name: InputName) -> Self {
        TarCut { input: TarInput::new(input), name, next: Next::First, begun: Vec::new() }
    }

    /// Bytes of the archive that were read.
    pub(crate) fn position(&self) -> u64 {
        self.input.position()
    }

    /// Whether the last piece was the last of the archive.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }

    /// Puts the next piece into `piece`, which must be empty; `false` at the end of the archive.
    ///
    /// Status 3 for what is not an XVA or ends early, 4 for what is compressed or has blocks that are too large. If the filter before
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
                    self.input.read(piece, now, "a member that is no block")?;
                    if left > now as u64 {
                        self.next = Next::Other(left - now as u64);
                        return Ok(true);
                    }
                }
                Next::First => self.first_header(piece)?,
                Next::Header => {
                    let begun = piece.len();
                    let header = self.input.header(piece, begun)?;
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
        self.input.read_to(piece, RECORD)?;
        if piece.is_empty() {
            return Err(self.input.upstream_or(Failure::damaged("is empty: expected an XVA")));
        }
        refuse_compressed(piece, &self.name)?;
        let record = piece.clone();
        let header =
            self.input.header(piece, 0).map_err(|failure| no_header(&record, &self.name, failure))?;
        let found = match &header {
            Header::Member { name, is_file: true, .. } if name == METADATA || is_block(name) => None,
            Header::Member { name, .. } => Some(Some(name.as_str())),
            Header::End => Some(None),
        };
        if let Some(found) = found {
            return Err(no_first_member(&record, &self.name, found));
        }
        self.follow(header, piece, 0);
        Ok(())
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
        self.input.read(piece, in_memory(size) + padding(size), name)?;
        let begun = piece.len();
        let header = self.input.header(piece, begun)?;
        match &header {
            Header::Member { name: next, size, is_file: true }
                if *size <= RECORD as u64
                    && matches!(member_kind(next), MemberKind::Checksum(block, _) if block == name) =>
            {
                self.input.read(piece, in_memory(*size) + padding(*size), next)
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
        self.input.read_to(piece, MAX_OTHER.saturating_sub(piece.len()))?;
        self.input.has_more()
    }
}

fn is_block(name: &str) -> bool {
    matches!(member_kind(name), MemberKind::Block(..))
}

#[cfg(test)]
mod tests;
