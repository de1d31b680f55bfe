//! What follows the last disk, or an end-of-tar. The importer does not read it, so that a disk there is lost silently.

use extents::failure::Failure;

use crate::ova::metadata::{EXPORT_VSN_WITH_TABLE, FILE_NAME};
use crate::unpack::disk_state::DiskState;
use crate::unpack::finding::{Severity, Stop};
use crate::unpack::member::Member;
use crate::unpack::walk::state::Walk;
use crate::xva::member_name::{DIGITS, MemberKind, block_name, member_kind};
use crate::xva::tar_member::TRAILER;

impl Walk<'_> {
    /// The next member that may show a loss although nothing is expected any more; all others are passed over.
    pub(crate) fn beyond(&mut self) -> Result<Option<Member>, Stop> {
        while let Some(member) = self.next()? {
            if self.concerns(&member)? {
                return Ok(Some(member));
            }
            if self.by_frames {
                // A frame that is of no use is not decompressed to see that the next one is not, either.
                return Ok(None);
            }
            self.members.skip_beyond(&member)?;
        }
        Ok(None)
    }

    /// Reports a member that belongs into an archive. Yields whether it does, and to a disk that is asked for.
    fn concerns(&mut self, member: &Member) -> Result<bool, Stop> {
        let prefix = self.disk_of(&member.name);
        let is_asked_for = prefix.is_some_and(|prefix| self.is_wanted(prefix));
        if self.options.only.is_some() && !is_asked_for {
            // Metadata that comes last still says how long the disk is.
            return Ok(member.name == FILE_NAME && self.ova.is_none() && !self.members.trailer_seen);
        }
        if prefix.is_none() && member.name != FILE_NAME {
            self.foreign_seen = true;
            return Ok(false);
        }
        let what = if self.members.trailer_seen {
            "stands after an end-of-tar, as when --no-trailer was forgotten"
        } else if self.current.as_ref().map(|disk| disk.prefix.as_str()) == prefix {
            // What is wrong with it depends on which blocks of the disk came.
            return Ok(true);
        } else {
            "stands after the last block that ova.xml announces"
        };
        if self.current.as_ref().is_some_and(DiskState::is_complete) {
            self.end_disk()?;
        }
        self.findings.raise(member.finding(Severity::LeftOut, what))?;
        Ok(true)
    }

    /// The disk to which a member belongs by its name. One that is not known has blocks with numbers as they are usual.
    fn disk_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let block = match member_kind(name) {
            MemberKind::Block(..) => name,
            MemberKind::Checksum(block, _) | MemberKind::Attached(block) => block,
            MemberKind::Inside(_) | MemberKind::Other => return None,
        };
        let (prefix, digits) = block_name(block)?;
        (digits.len() == DIGITS || self.is_disk(prefix)).then_some(prefix)
    }

    /// The end of the input. The importer does not look at what follows the last block when the metadata says where the
    /// disks end.
    pub(crate) fn rest(&mut self) -> Result<(), Stop> {
        if self.ova.is_none() && self.ended.is_empty() {
            return Err(Stop::Refused(Failure::damaged("is not an XVA: found no block of a disk")));
        }
        if self.findings.bad() == 0 {
            let disks = self.ended.iter().map(String::as_str);
            self.options.check_names(disks).map_err(Stop::Refused)?;
        }
        let end = self.members.input.position();
        let length = end.saturating_sub(self.over.unwrap_or(end));
        if self.options.only.is_some() {
            return Ok(());
        }
        if self.ova.as_ref().is_some_and(|ova| ova.export_vsn == EXPORT_VSN_WITH_TABLE) {
            let what = format!(
                "export_vsn is {EXPORT_VSN_WITH_TABLE}: the table of checksums after the last disk is not compared"
            );
            self.raise_here(Severity::Remark, what)?;
        } else if self.foreign_seen {
            let what = format!("{length} bytes follow the last block, not all zero: xapi ignores them");
            self.raise_here(Severity::Remark, what)?;
        } else if !self.members.trailer_seen && length < TRAILER.len() as u64 {
            let what =
                "the end-of-tar is missing: xapi ignores that, Xen Orchestra calls the archive incomplete";
            self.raise_here(Severity::Remark, what.to_owned())?;
        }
        Ok(())
    }
}
