//! One block and the checksum behind it.

use extents::failure::Failure;

use crate::unpack::disk_state::DiskState;
use crate::unpack::finding::{Severity, Stop};
use crate::unpack::members::Member;
use crate::unpack::walk::Walk;
use crate::xva::checksum::Algorithm;
use crate::xva::member_name::{Meaning, meaning};

/// Bytes of the largest block. Every known writer makes them of 1 MiB; the importer holds a block in memory, too.
const MAX_BLOCK: u64 = 16 << 20;

/// Bytes of the longest text that is compared with a checksum: a SHA-1 and room for a newline.
const MAX_TEXT: usize = 64;

impl Walk<'_> {
    /// Reads the block `member` of the disk `prefix`, and its checksum.
    pub(crate) fn block(&mut self, member: &Member, prefix: &str, digits: &str) -> Result<(), Stop> {
        if self.current.as_ref().is_none_or(|disk| disk.prefix != prefix) {
            self.end_disk()?;
            self.begin_disk(prefix, member)?;
        }
        let block_length = *self.block_length.get_or_insert(member.size);
        let Some(disk) = &mut self.current else { return Ok(()) };
        let place = match disk.placement.push(digits, member.size, block_length) {
            Ok(place) => place,
            Err(what) => {
                disk.damaged = true;
                return self.reject(member, Severity::Damaged, &what);
            }
        };
        let (expected, wanted) = (disk.expected, disk.wanted);
        if place.sorts_before_last {
            let what = "the name sorts before the one of the last block: expected eight digits";
            self.findings.raise(member.finding(Severity::Refused, what))?;
        }
        if !member.size.is_multiple_of(512) {
            let what = format!("found {} bytes, expected a multiple of 512", member.size);
            self.findings.raise(member.finding(Severity::Refused, what))?;
        }
        if let Some(expected) = expected.filter(|expected| place.offset >= *expected) {
            let what = format!(
                "lies behind the end of the disk: found byte {}, expected less than {expected}",
                place.offset
            );
            self.current.iter_mut().for_each(|disk| disk.damaged = true);
            return self.reject(member, Severity::Damaged, &what);
        }
        self.report_progress(place.offset);
        if wanted {
            self.read_block(member)?;
            self.checksum(member, wanted)?;
            self.deliver(member, place.offset)?;
        } else {
            self.members.skip(member)?;
            self.checksum(member, wanted)?;
        }
        if let Some(disk) = &mut self.current {
            disk.had = disk.placement.end();
            disk.blocks += u64::from(member.size > 0);
            disk.bytes += member.size;
        }
        if self.current.as_ref().is_some_and(DiskState::is_complete) {
            self.end_disk()?;
        }
        Ok(())
    }

    /// Fills the buffer with the data of `member`.
    fn read_block(&mut self, member: &Member) -> Result<(), Stop> {
        let length = usize::try_from(member.size).ok().filter(|_| member.size <= MAX_BLOCK);
        let Some(length) = length else {
            let (name, found) = (&member.name, member.size);
            let what =
                format!("{name}: the block is too large: found {found} bytes, expected at most {MAX_BLOCK}");
            return Err(Stop::Refused(Failure::unsupported(what)));
        };
        self.buffer.resize(length, 0);
        self.members.input.read_exact(&mut self.buffer, &member.name)?;
        self.members.end_data(member.size, &member.name)
    }

    /// Hands the buffer, which belongs at guest byte `offset`, to the sink. What lies behind the end of the disk, or
    /// behind what is wanted of it, must be zero.
    fn deliver(&mut self, member: &Member, offset: u64) -> Result<(), Stop> {
        let Some(disk) = &mut self.current else { return Ok(()) };
        let wanted = |end: Option<u64>| {
            let most = end.map_or(u64::MAX, |end| end.saturating_sub(offset));
            usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len())
        };
        let (inside, behind) = self.buffer.split_at(wanted(disk.expected));
        let (data, padding) = inside.split_at(wanted(disk.cut).min(inside.len()));
        if !data.is_empty() {
            disk.add(offset, data);
            self.sink.write(offset, data)?;
        }
        let lost = padding.iter().chain(behind).any(|&byte| byte != 0);
        let finding = if lost && behind.is_empty() {
            Some((
                Severity::Damaged,
                format!("holds data behind --size: expected zeros from byte {} on", disk.written_size()),
            ))
        } else if behind.is_empty() {
            None
        } else {
            let severity = if lost { Severity::Damaged } else { Severity::Refused };
            Some((
                severity,
                format!("goes beyond the end of the disk: found {} bytes too many", behind.len()),
            ))
        };
        if let Some((severity, what)) = finding {
            disk.damaged |= severity == Severity::Damaged;
            self.findings.raise(member.finding(severity, what))?;
        }
        Ok(())
    }

    /// Reads the checksum behind the block `member`, whose data is in the buffer if `wanted`.
    fn checksum(&mut self, member: &Member, wanted: bool) -> Result<(), Stop> {
        let next = self.next()?;
        let algorithm = next.as_ref().and_then(|next| match meaning(&next.name) {
            Meaning::Checksum(block, algorithm) if block == member.name && next.is_file => Some(algorithm),
            _ => None,
        });
        let (Some(next), Some(algorithm)) = (&next, algorithm) else {
            return self.no_checksum(member, next);
        };
        if let Some(disk) = &mut self.current
            && !disk.algorithms.contains(&algorithm)
        {
            disk.algorithms.push(algorithm);
        }
        if !wanted {
            return self.members.skip(next);
        }
        let finding = match self.text_of(next)? {
            Some(text) => compare(&text, &algorithm.text(&self.buffer)),
            None => Some((Severity::Damaged, wrong_length(next.size, algorithm))),
        };
        if let Some((severity, what)) = finding {
            if let Some(disk) = &mut self.current {
                disk.damaged |= severity == Severity::Damaged;
            }
            self.findings.raise(next.finding(severity, what))?;
        }
        Ok(())
    }

    /// The text in a checksum member; none if it cannot be one.
    fn text_of(&mut self, member: &Member) -> Result<Option<Vec<u8>>, Stop> {
        let Some(length) = usize::try_from(member.size).ok().filter(|length| *length <= MAX_TEXT) else {
            self.members.skip(member)?;
            return Ok(None);
        };
        let mut text = vec![0; length];
        self.members.input.read_exact(&mut text, &member.name)?;
        self.members.end_data(member.size, &member.name)?;
        Ok(Some(text))
    }

    /// Takes note that `next`, or nothing, follows the block `member` in place of its checksum.
    fn no_checksum(&mut self, member: &Member, next: Option<Member>) -> Result<(), Stop> {
        let found = match &next {
            Some(next) => next.name.clone(),
            None if self.members.trailer_seen => "the end-of-tar".to_owned(),
            None => {
                let what = "ends early, behind this block, whose checksum is missing";
                return Err(member.finding(Severity::Damaged, what).into());
            }
        };
        self.ahead = next;
        self.current.iter_mut().for_each(|disk| disk.unchecked += 1);
        let what =
            format!("the block has no checksum: found {found} behind it, expected {}.xxhash", member.name);
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
