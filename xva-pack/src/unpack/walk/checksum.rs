//! The checksum that follows a block.

use extents::extent::length::in_memory;

use crate::unpack::disk_state::DiskState;
use crate::unpack::finding::{Severity, Stop};
use crate::unpack::member::Member;
use crate::unpack::walk::state::Walk;
use crate::xva::checksum::Algorithm;
use crate::xva::member_name::{MemberKind, block_name, member_kind};

const NOT_AFTER_ITS_BLOCK: &str = "does not follow the block that it belongs to";

/// Blanks around a text that is still compared with a checksum.
const MAX_BLANKS: usize = 24;

impl Walk<'_> {
    /// Reads the checksum that follows the block `member` of `disk`, whose data may be in the buffer, to be compared.
    pub(crate) fn checksum(&mut self, disk: &mut DiskState, member: &Member) -> Result<(), Stop> {
        let next = self.next()?;
        let algorithm = next.as_ref().and_then(|next| match member_kind(&next.name) {
            MemberKind::Checksum(block, algorithm) if block == member.name && next.is_file => Some(algorithm),
            _ => None,
        });
        let (Some(next), Some(algorithm)) = (&next, algorithm) else {
            return self.no_checksum(disk, member, next);
        };
        if !disk.algorithms.contains(&algorithm) {
            disk.algorithms.push(algorithm);
        }
        if self.read.as_ref() != Some(&member.name) {
            return self.members.skip(next);
        }
        if let Some((severity, what)) = self.compared(next, algorithm)? {
            disk.damaged |= severity == Severity::Damaged;
            self.findings.raise(next.finding(severity, what))?;
        }
        Ok(())
    }

    /// Judges `member`, which belongs to the block `block` and does not follow it. If that block did not come it is lost.
    pub(crate) fn stray(&mut self, member: &Member, block: &str) -> Result<(), Stop> {
        if self.rejected.as_deref() == Some(block) {
            return self.members.skip(member);
        }
        let Some((prefix, digits)) = block_name(block) else { return self.members.skip(member) };
        let known = [&self.current, &self.held].into_iter().flatten().find(|disk| disk.prefix == prefix);
        let came = known.is_some_and(|disk| disk.has(digits));
        if came && matches!(member_kind(&member.name), MemberKind::Checksum(..)) && member.is_file {
            let disks = [&mut self.current, &mut self.held].into_iter().flatten();
            for disk in disks.filter(|disk| disk.prefix == prefix) {
                disk.late_checksum(digits).map_err(Stop::Refused)?;
            }
        }
        if !came && (self.is_wanted(prefix) || self.is_unknown(prefix)) {
            self.spoil(prefix);
            let what = format!("{NOT_AFTER_ITS_BLOCK}: expected {block} before it");
            return self.reject(member, Severity::Damaged, &what);
        }
        let MemberKind::Checksum(_, algorithm) = member_kind(&member.name) else {
            return self.reject(member, Severity::Refused, "is not a part of an XVA");
        };
        if self.read.as_deref() != Some(block) {
            return self.reject(member, Severity::Refused, NOT_AFTER_ITS_BLOCK);
        }
        self.findings.raise(member.finding(Severity::Refused, NOT_AFTER_ITS_BLOCK))?;
        if let Some((severity, what)) = self.compared(member, algorithm)? {
            self.spoil(prefix);
            self.findings.raise(member.finding(severity, what))?;
        }
        Ok(())
    }

    /// What is wrong with the checksum `member` of the block in the buffer.
    fn compared(
        &mut self,
        member: &Member,
        algorithm: Algorithm,
    ) -> Result<Option<(Severity, String)>, Stop> {
        Ok(match self.text_of(member)? {
            Some(text) => compare(&text, &algorithm.text(&self.buffer)),
            None => Some((Severity::Damaged, wrong_length(member.size, algorithm))),
        })
    }

    /// The text in a checksum member; none if it cannot be one.
    fn text_of(&mut self, member: &Member) -> Result<Option<Vec<u8>>, Stop> {
        let longest = Algorithm::all().map(Algorithm::text_length).fold(0, usize::max) + MAX_BLANKS;
        if member.size > longest as u64 {
            self.members.skip(member)?;
            return Ok(None);
        }
        let mut text = vec![0; in_memory(member.size)];
        self.members.input.read_exact(&mut text, &member.name)?;
        self.members.end_data(member.size, &member.name)?;
        Ok(Some(text))
    }

    /// Takes note that `next`, or nothing, follows the block `member` in place of its checksum.
    fn no_checksum(
        &mut self,
        disk: &mut DiskState,
        member: &Member,
        next: Option<Member>,
    ) -> Result<(), Stop> {
        let found = match &next {
            Some(next) => next.name.clone(),
            None if self.members.trailer_seen => "the end-of-tar".to_owned(),
            None => {
                let what = "ends early, after this block, whose checksum is missing";
                return Err(member.finding(Severity::Damaged, what).into());
            }
        };
        self.ahead = next;
        match block_name(&member.name) {
            Some((_, digits)) => disk.came_without_checksum(digits).map_err(Stop::Refused)?,
            None => disk.unchecked += 1,
        }
        let expected = format!("{}{}", member.name, Algorithm::default().suffix());
        let what = format!("the block has no checksum: found {found} after it, expected {expected}");
        self.findings.raise(member.finding(Severity::Refused, what))?;
        Ok(())
    }
}

/// What is wrong with the text of a checksum. The importer compares it to the letter.
fn compare(found: &[u8], expected: &str) -> Option<(Severity, String)> {
    if found == expected.as_bytes() {
        return None;
    }
    let severity = if found.trim_ascii().eq_ignore_ascii_case(expected.as_bytes()) {
        Severity::Refused
    } else {
        Severity::Damaged
    };
    let found = found.escape_ascii();
    Some((severity, format!("the checksum is not that of the block: found {found}, expected {expected}")))
}

fn wrong_length(found: u64, algorithm: Algorithm) -> String {
    format!("is not a checksum: found {found} bytes, expected {}", algorithm.text_length())
}
