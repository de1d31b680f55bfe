//! The walk over an archive, from the metadata to the end-of-tar: which disk comes when, and whether all of it came.
//!
//! What is known on the way is `state::Walk`; a file for each part of the archive gives it the steps for that part.

use extents::failure::Failure;

use crate::ova::metadata::FILE_NAME;
use crate::unpack::disk_state::DiskState;
use crate::unpack::finding::{Finding, Severity, Stop};
use crate::unpack::findings::Findings;
use crate::unpack::foreign;
use crate::unpack::input::Input;
use crate::unpack::member::Member;
use crate::unpack::options::Options;
use crate::unpack::report::Archive;
use crate::unpack::sink::Sink;
use crate::unpack::walk::state::Walk;
use crate::xva::member_name::{MemberKind, member_kind};

pub(crate) mod after_last;
pub(crate) mod block;
pub(crate) mod checksum;
pub(crate) mod disks;
pub(crate) mod jump;
pub mod metadata;
pub(crate) mod state;

/// Reads an archive to its end, and says what was found, also when it failed. A failure of status 3 says where and why
/// reading stopped, and how much came before.
pub fn read(
    input: Input,
    options: &Options,
    sink: &mut dyn Sink,
    findings: &mut Findings,
) -> (Archive, Result<(), Failure>) {
    let name = input.name().clone();
    let mut walk = Walk::new(input, options, sink, findings);
    let done = walk.run().or_else(|stop| walk.abandon(stop));
    let archive = Archive {
        disks: std::mem::take(&mut walk.reports),
        has_ova: walk.ova.is_some(),
        bytes: walk.members.input.position(),
    };
    let done = done.map_err(|stop| stop.into_failure(name.name())).and_then(|()| match walk.findings.bad() {
        // Whoever keeps going is told so in the end.
        bad if bad > 0 && walk.members.input.has_changed() => {
            Err(Failure::damaged(format!("found {bad} faults, named above")).in_file(name.name()))
        }
        _ => walk.members.input.check_not_shorter(),
    });
    (archive, done.map_err(|failure| walk.members.input.judge(failure)))
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        self.metadata()?;
        if let Some(ova) = &self.ova {
            let disks = ova.disks.iter().map(|disk| disk.prefix.as_str());
            self.options.check_names(disks).map_err(Stop::Refused)?;
            for disk in ova.streamed() {
                let size = self.options.size_of(&disk.prefix).unwrap_or(disk.virtual_size);
                self.sink.expect(&disk.prefix, size)?;
            }
        }
        self.jump();
        while let Some(member) = self.coming()? {
            self.member(&member)?;
        }
        self.end_disk()?;
        self.look_for_missing_disks()?;
        if let Some(disk) = self.held.take() {
            self.close_disk(disk)?;
        }
        self.rest()
    }

    /// The next member that is taken for a part of the archive.
    fn coming(&mut self) -> Result<Option<Member>, Stop> {
        if self.over.is_none() && self.is_finished() {
            self.over = Some(self.ahead.as_ref().map_or(self.members.input.position(), |member| member.byte));
        }
        if self.over.is_none() {
            match self.next_after_damage()? {
                None => self.end_of_archive()?,
                member => return Ok(member),
            }
        }
        self.beyond()
    }

    /// The next member. With `--keep-going`, that of the next frame where a damaged one comes first: frames do not depend on each
    /// other, and the name of a block says where it belongs.
    pub(crate) fn next_after_damage(&mut self) -> Result<Option<Member>, Stop> {
        loop {
            let stop = match self.next() {
                Err(Stop::Damaged(finding)) if self.findings.policy().keep_going => finding,
                done => return done,
            };
            // Otherwise it is not known where the next member begins.
            if !self.members.input.leave_out_damaged_frame() {
                return Err(stop.into());
            }
            self.findings.raise(stop)?;
            self.frame_lost = true;
            if let Some(disk) = self.current.as_mut().filter(|disk| !disk.is_complete()) {
                disk.damaged = true;
            }
        }
    }

    fn member(&mut self, member: &Member) -> Result<(), Stop> {
        if let Some(failure) =
            foreign::foreign_tar(&member.name).filter(|_| self.reports.is_empty() && self.current.is_none())
        {
            return Err(Stop::Refused(failure));
        }
        match member_kind(&member.name) {
            MemberKind::Block(prefix, digits) if member.is_file => self.block(member, prefix, digits),
            MemberKind::Block(..) => {
                self.reject(member, Severity::Damaged, "is a link or a directory: expected a file")
            }
            MemberKind::Inside(prefix) if self.is_disk(prefix) => {
                self.reject(member, Severity::Damaged, "is neither a block nor a checksum")
            }
            MemberKind::Checksum(block, _) | MemberKind::Attached(block) => self.stray(member, block),
            _ if member.name == FILE_NAME => self.late_metadata(member),
            _ => self.reject(member, Severity::Refused, "is not a part of an XVA"),
        }
    }

    /// Whether all that is wanted has come: then the importer, too, stops reading.
    fn is_finished(&self) -> bool {
        let is_complete = self.current.as_ref().is_none_or(DiskState::is_complete);
        if let Some(only) = &self.options.only {
            let is_current = self.current.as_ref().is_some_and(|disk| disk.prefix == *only);
            return self.held.is_some() || is_current && is_complete;
        }
        self.ova.is_some() && is_complete && self.expected_next().is_none()
    }

    /// Fails where an archive ends without its end-of-tar although nothing else says that all of it is there.
    fn end_of_archive(&self) -> Result<(), Stop> {
        if self.ova.is_none() && !self.members.trailer_seen {
            let at = self.members.input.position();
            return Err(Finding::damage_at(at, "ends early: found no end-of-tar").into());
        }
        Ok(())
    }

    /// Ends the walk where it stopped. Where the archive cannot be followed any further, what came is kept if that is
    /// wanted, and the sentence says how much it is.
    fn abandon(&mut self, stop: Stop) -> Result<(), Stop> {
        let Stop::Damaged(finding) = stop else { return Err(stop) };
        if finding.severity != Severity::Damaged {
            return Err(finding.into());
        }
        let keep_going = self.findings.policy().keep_going;
        let whole = self.reports.iter().filter(|disk| disk.whole).count();
        let of = self.ova.as_ref().map_or_else(String::new, |ova| format!(" of {}", ova.streamed().count()));
        let mut received = format!("disks that came whole: {whole}{of}");
        if let Some(mut disk) = self.current.take().or_else(|| self.held.take()) {
            let of = disk.expected.map_or_else(String::new, |size| format!(" of {size}"));
            received = format!("{received}; {} came up to byte {}{of}", disk.prefix, disk.received);
            if keep_going {
                disk.damaged = true;
                self.close_disk(disk)?;
            }
        }
        let hint = if keep_going { "" } else { "; xva-unpack --keep-going takes what can be had" };
        Err(Stop::Refused(Failure::damaged(format!("{finding}; {received}{hint}"))))
    }
}
