//! Reads an archive member by member, and keeps every byte of it: headers, long names, pax attributes, data.

use std::io::{self, BufRead, BufReader, Read};

use extents::document::failed_stage::Upstream;
use extents::extent::length::in_memory;
use extents::failure::Failure;

use crate::xva::extended_header::Overrides;
use crate::xva::tar_header::{self, TarHeader};
use crate::xva::tar_member::{RECORD, padding};

/// Bytes of a long name or of pax attributes.
const MAX_EXTENDED: u64 = 64 << 10;

/// Bytes of the extended headers of one member.
const MAX_HEADERS: usize = 1 << 20;

/// An archive that is being read.
#[derive(Debug)]
pub(crate) struct TarInput<R> {
    input: BufReader<Upstream<R>>,
    /// Bytes read.
    position: u64,
}

/// What the next header is.
pub(crate) enum Header {
    /// One of the two zero records that end a tar was read, and the other.
    End,
    /// A member, of which the headers were read.
    Member { name: String, size: u64, is_file: bool },
}

impl<R: Read> TarInput<R> {
    /// Nothing is read yet.
    pub(crate) fn new(input: R) -> Self {
        // A small buffer: blocks are read past it.
        TarInput { input: BufReader::with_capacity(8 << 10, Upstream::new(input)), position: 0 }
    }

    /// Bytes of the archive that were read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether anything follows; if not, and the filter before failed, its status.
    pub(crate) fn has_more(&mut self) -> Result<bool, Failure> {
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
    pub(crate) fn header(&mut self, piece: &mut Vec<u8>, begun: usize) -> Result<Header, Failure> {
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
            if piece.len() - begun > MAX_HEADERS {
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
    pub(crate) fn read(&mut self, piece: &mut Vec<u8>, length: usize, what: &str) -> Result<(), Failure> {
        let begun = piece.len();
        self.read_to(piece, length)?;
        if piece.len() - begun == length {
            return Ok(());
        }
        let at = self.position;
        Err(self.upstream_or(Failure::damaged(format!("ends early, at byte {at}: in {what}"))))
    }

    /// Adds as many bytes to `piece` as there are, up to `length`.
    pub(crate) fn read_to(&mut self, piece: &mut Vec<u8>, length: usize) -> Result<(), Failure> {
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
    pub(crate) fn upstream_or(&mut self, failure: Failure) -> Failure {
        self.input.get_mut().failure().unwrap_or(failure)
    }
}
