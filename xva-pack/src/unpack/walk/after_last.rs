//! What follows the last disk. The importer does not read it, so that a disk there is lost silently.

use extents::failure::Failure;

use crate::ova::metadata::EXPORT_VSN_WITH_TABLE;
use crate::unpack::finding::{Severity, Stop};
use crate::unpack::walk::state::Walk;
use crate::xva::member_name::{DIGITS, MemberKind, member_kind};
use crate::xva::tar_member::TRAILER;

impl Walk<'_> {
    /// What follows the last block. The importer does not look at it when the metadata says where the disks end.
    pub(crate) fn rest(&mut self) -> Result<(), Stop> {
        if self.ova.is_none() && self.ended.is_empty() {
            return Err(Stop::Refused(Failure::damaged("is not an XVA: found no block of a disk")));
        }
        if self.findings.bad() == 0 {
            let disks = self.ended.iter().map(String::as_str);
            self.options.check_names(disks).map_err(Stop::Refused)?;
        }
        if self.options.only.is_some() {
            return self.members.input.let_writer_finish();
        }
        let begun = self.members.input.position();
        let only_zeros = self.members.trailer_seen || self.look_past()?;
        let ahead = self.members.input.position() - begun;
        let seen = self.members.trailer_seen;
        let (length, zero) = self.members.input.drain()?;
        let (length, zero) = (ahead.saturating_add(length), zero && only_zeros);
        if self.ova.as_ref().is_some_and(|ova| ova.export_vsn == EXPORT_VSN_WITH_TABLE) {
            let what = format!(
                "export_vsn is {EXPORT_VSN_WITH_TABLE}: the table of checksums after the last disk is not compared"
            );
            self.raise_here(Severity::Remark, what)?;
        } else if !zero {
            let what = format!("{length} bytes follow the last block, not all zero: xapi ignores them");
            self.raise_here(Severity::Remark, what)?;
        } else if !seen && length < TRAILER.len() as u64 {
            let what =
                "the end-of-tar is missing: xapi ignores that, Xen Orchestra calls the archive incomplete";
            self.raise_here(Severity::Remark, what.to_owned())?;
        }
        Ok(())
    }

    /// Looks at the member after the last disk: a block there holds data that the importer never reads. Yields
    /// whether there is none, only zeros.
    fn look_past(&mut self) -> Result<bool, Stop> {
        let member = match self.members.next_with_findings() {
            Ok(None) => return Ok(true),
            Ok(Some((member, _))) => member,
            Err(Stop::Damaged(_)) => return Ok(false),
            Err(stop) => return Err(stop),
        };
        let is_block =
            matches!(member_kind(&member.name), MemberKind::Block(_, digits) if digits.len() == DIGITS);
        if self.ova.is_some() && is_block && member.is_file && member.size > 0 {
            let what = "holds data after the last block that ova.xml announces";
            self.findings.raise(member.finding(Severity::LeftOut, what))?;
        }
        Ok(false)
    }
}
