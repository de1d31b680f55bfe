//! What the walk knows while it goes over an archive.

use std::collections::BTreeSet;

use crate::ova::metadata::Ova;
use crate::unpack::disk_state::DiskState;
use crate::unpack::finding::{Finding, Severity, Stop};
use crate::unpack::findings::Findings;
use crate::unpack::input::Input;
use crate::unpack::member::{Beyond, Member};
use crate::unpack::members::Members;
use crate::unpack::options::Options;
use crate::unpack::report::DiskReport;
use crate::unpack::sink::Sink;

/// The walk over one archive.
pub(crate) struct Walk<'a> {
    pub(crate) members: Members,
    pub(crate) options: &'a Options,
    pub(crate) sink: &'a mut dyn Sink,
    pub(crate) findings: &'a mut Findings,
    /// A member that was read where a checksum was expected.
    pub(crate) ahead: Option<Member>,
    pub(crate) ova: Option<Ova>,
    /// The disk of which blocks came and more may come; none while one of its blocks is being read.
    pub(crate) current: Option<DiskState>,
    /// The only disk that is wanted, once another one began: what follows may still show that a block of it is missing.
    pub(crate) held: Option<DiskState>,
    /// Prefixes of the disks that had their turn.
    pub(crate) ended: BTreeSet<String>,
    /// Byte of the archive from which on nothing is expected any more, once it is reached.
    pub(crate) over: Option<u64>,
    /// Something that is neither zero nor a part of an XVA was passed over there.
    pub(crate) foreign_seen: bool,
    /// Name of the block that was passed over last, so that its checksum is, too.
    pub(crate) rejected: Option<String>,
    /// Name of the block whose data is in the buffer.
    pub(crate) read: Option<String>,
    pub(crate) reports: Vec<DiskReport>,
    /// Bytes of the first block of the archive: of all that is left out, too.
    pub(crate) block_length: Option<u64>,
    /// The data of the last block that was read.
    pub(crate) buffer: Vec<u8>,
    /// Guest bytes of the disks that ended.
    pub(crate) guest_bytes: u64,
    /// A frame was left out because it is damaged, and no block came since.
    pub(crate) frame_lost: bool,
    /// Every frame of the file was looked at, and of those of other disks than the one that is wanted nothing is read.
    pub(crate) by_frames: bool,
}

impl<'a> Walk<'a> {
    /// Nothing was read yet.
    pub(crate) fn new(
        input: Input,
        options: &'a Options,
        sink: &'a mut dyn Sink,
        findings: &'a mut Findings,
    ) -> Self {
        Walk {
            members: Members::new(input),
            options,
            sink,
            findings,
            ahead: None,
            ova: None,
            current: None,
            held: None,
            ended: BTreeSet::new(),
            over: None,
            foreign_seen: false,
            rejected: None,
            read: None,
            reports: Vec::new(),
            block_length: None,
            buffer: Vec::new(),
            guest_bytes: 0,
            frame_lost: false,
            by_frames: false,
        }
    }

    /// The next member; none at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, Stop> {
        if let Some(member) = self.ahead.take() {
            return Ok(Some(member));
        }
        while self.over.is_some() {
            match self.members.next_beyond()? {
                Beyond::Member(member) => return Ok(Some(member)),
                Beyond::Junk => self.foreign_seen = true,
                Beyond::End => return Ok(None),
            }
        }
        let member = self.members.next(self.findings)?;
        if member.is_none() {
            self.over = Some(self.members.input.position());
        }
        Ok(member)
    }

    /// Whether the disk `prefix` is asked for.
    pub(crate) fn is_wanted(&self, prefix: &str) -> bool {
        self.options.only.as_ref().is_none_or(|only| only == prefix)
    }

    /// Reports a member, and leaves it out.
    pub(crate) fn reject(&mut self, member: &Member, severity: Severity, what: &str) -> Result<(), Stop> {
        self.findings.raise(member.finding(severity, what))?;
        self.members.skip(member)
    }

    /// Reports what is not about a member.
    pub(crate) fn raise_here(&mut self, severity: Severity, what: String) -> Result<(), Finding> {
        let byte = self.members.input.position();
        self.findings.raise(Finding { severity, byte, member: String::new(), what })
    }

    /// Says how far a file is read; of a pipe, how far the disks are, if the metadata says how long they are. The disk at
    /// hand has come to guest byte `offset`.
    pub(crate) fn report_progress(&mut self, offset: u64) {
        let (done, total) = match (self.members.input.progress(), &self.ova) {
            (Some((done, total)), _) => (done, Some(total)),
            (None, Some(ova)) => {
                let total = ova.streamed().fold(0_u64, |sum, disk| sum.saturating_add(disk.virtual_size));
                (self.guest_bytes.saturating_add(offset), Some(total))
            }
            (None, None) => (self.members.input.position(), None),
        };
        self.sink.progress(done, total);
    }
}
