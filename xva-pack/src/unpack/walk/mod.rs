//! The walk over an archive, from the metadata to the end-of-tar: which disk comes when, and whether all of it came.

use std::collections::BTreeSet;

use extents::failure::Failure;

use disks::check_names;

use crate::ova::metadata::{FILE_NAME, Ova};
use crate::unpack::disk_state::{DiskReport, DiskState};
use crate::unpack::finding::{Finding, Severity, Stop};
use crate::unpack::findings::Findings;
use crate::unpack::input::Input;
use crate::unpack::members::{Member, Members};
use crate::xva::member_name::{Meaning, meaning};

mod after_last;
mod block;
mod disks;
mod metadata;

pub use metadata::read_ova;

/// Takes the bytes of disks.
pub trait Sink {
    /// Whether the bytes of this disk are to be read and checked, or passed over.
    fn wants(&self, prefix: &str) -> bool;
    /// A disk begins that is wanted. `size` is what will be written of it, in bytes, if that is known yet.
    fn begin(&mut self, prefix: &str, size: Option<u64>) -> Result<(), Failure>;
    /// Bytes at a guest offset that never decreases; what is left out between them is zero.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure>;
    /// The disk has `size` bytes; `whole` if every block came and was sound.
    fn end(&mut self, size: u64, whole: bool) -> Result<(), Failure>;
    /// How far the work is, and how far it will go if that is known.
    fn progress(&mut self, done: u64, total: Option<u64>);
}

/// What is read of an archive.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Stop when this disk is complete.
    pub only: Option<String>,
    /// Bytes that are wanted of a disk, whose archived form was padded.
    pub sizes: Vec<(String, u64)>,
}

/// What was found in an archive.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    /// Its disks in the order in which they came.
    pub disks: Vec<DiskReport>,
    /// Whether there was metadata that says how long each disk is.
    pub has_ova: bool,
    /// Bytes read.
    pub bytes: u64,
}

/// Reads an archive to its end, and says what was found, also when it failed. A failure of status 3 says where and why
/// reading stopped, and how much came before.
pub fn read(
    input: Input,
    options: &Options,
    sink: &mut dyn Sink,
    findings: &mut Findings,
) -> (Archive, Result<(), Failure>) {
    let name = input.name().to_path_buf();
    let mut walk = Walk {
        members: Members::new(input),
        options,
        sink,
        findings,
        ahead: None,
        ova: None,
        current: None,
        ended: BTreeSet::new(),
        reports: Vec::new(),
        block_length: None,
        buffer: Vec::new(),
        guest_bytes: 0,
    };
    let done = walk.run().or_else(|stop| walk.abandon(stop));
    let archive = Archive {
        disks: std::mem::take(&mut walk.reports),
        has_ova: walk.ova.is_some(),
        bytes: walk.members.input.position(),
    };
    (archive, done.map_err(|stop| stop.into_failure(&name)))
}

struct Walk<'a> {
    members: Members,
    options: &'a Options,
    sink: &'a mut dyn Sink,
    findings: &'a mut Findings,
    /// A member that was read where a checksum was expected.
    ahead: Option<Member>,
    ova: Option<Ova>,
    current: Option<DiskState>,
    /// Prefixes of the disks that had their turn.
    ended: BTreeSet<String>,
    reports: Vec<DiskReport>,
    /// Bytes of the first block of the archive: of all that is left out, too.
    block_length: Option<u64>,
    /// The block at hand.
    buffer: Vec<u8>,
    /// Guest bytes of the disks that ended.
    guest_bytes: u64,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        self.metadata()?;
        if let Some(ova) = &self.ova {
            check_names(self.options, ova.disks.iter().map(|disk| disk.prefix.as_str()))?;
        }
        while !self.is_finished() {
            let Some(member) = self.next()? else {
                self.end_of_archive()?;
                break;
            };
            match meaning(&member.name) {
                Meaning::Block(prefix, digits) if member.is_file => self.block(&member, prefix, digits)?,
                Meaning::Block(..) => {
                    self.reject(&member, Severity::Damaged, "is a link or a directory: expected a file")?;
                }
                Meaning::Inside(prefix) if self.is_disk(prefix) => {
                    self.reject(&member, Severity::Damaged, "is neither a block nor a checksum")?;
                }
                Meaning::Checksum(..) => {
                    self.reject(&member, Severity::Refused, "does not follow the block that it belongs to")?;
                }
                _ if member.name == FILE_NAME => {
                    self.reject(&member, Severity::Refused, "is not the first member")?;
                }
                _ => self.reject(&member, Severity::Refused, "is not a part of an XVA")?,
            }
        }
        self.end_disk()?;
        self.look_for_missing_disks()?;
        self.rest()
    }

    fn next(&mut self) -> Result<Option<Member>, Stop> {
        match self.ahead.take() {
            Some(member) => Ok(Some(member)),
            None => self.members.next(self.findings),
        }
    }

    /// Whether all that is wanted has come: then the importer, too, stops reading.
    fn is_finished(&self) -> bool {
        if let Some(only) = &self.options.only {
            return self.ended.contains(only);
        }
        self.ova.is_some() && self.current.is_none() && self.expected_next().is_none()
    }

    /// Reports a member, and leaves it out.
    fn reject(&mut self, member: &Member, severity: Severity, what: &str) -> Result<(), Stop> {
        self.findings.raise(member.finding(severity, what))?;
        self.members.skip(member)
    }

    /// Fails where an archive ends without its end-of-tar although nothing else says that all of it is there.
    fn end_of_archive(&self) -> Result<(), Stop> {
        if self.ova.is_none() && !self.members.trailer_seen {
            let at = self.members.input.position();
            return Err(Finding::damage_at(at, "ends early: found no end-of-tar").into());
        }
        Ok(())
    }

    fn raise_here(&mut self, severity: Severity, what: String) -> Result<(), Finding> {
        let byte = self.members.input.position();
        self.findings.raise(Finding { severity, byte, member: String::new(), what })
    }

    /// Says how far a file is read; of a pipe, how far the disks are, if the metadata says how long they are.
    fn report_progress(&mut self, offset: u64) {
        let (done, total) = match (self.members.input.size(), &self.ova) {
            (None, Some(ova)) => {
                let total = ova.streamed().fold(0_u64, |sum, disk| sum.saturating_add(disk.virtual_size));
                (self.guest_bytes.saturating_add(offset), Some(total))
            }
            (size, _) => (self.members.input.position(), size),
        };
        self.sink.progress(done, total);
    }

    /// Ends the walk where it stopped. Where the archive cannot be followed any further, what came is kept if that is
    /// wanted, and the sentence says how much it is.
    fn abandon(&mut self, stop: Stop) -> Result<(), Stop> {
        let Stop::Damaged(finding) = stop else { return Err(stop) };
        if finding.severity != Severity::Damaged {
            return Err(finding.into());
        }
        let whole = self.reports.iter().filter(|disk| disk.whole).count();
        let of = self.ova.as_ref().map_or_else(String::new, |ova| format!(" of {}", ova.streamed().count()));
        let mut had = format!("disks that came whole: {whole}{of}");
        if let Some(disk) = self.current.take() {
            let of = disk.expected.map_or_else(String::new, |size| format!(" of {size}"));
            had = format!("{had}; {} came up to byte {}{of}", disk.prefix, disk.had);
            if self.findings.policy().keep_going {
                self.close_disk(DiskState { damaged: true, ..disk })?;
            }
        }
        let hint =
            if self.findings.policy().keep_going { "" } else { "; --keep-going takes what can be had" };
        Err(Stop::Refused(Failure::damaged(format!("{finding}; {had}{hint}"))))
    }
}
