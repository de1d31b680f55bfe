//! One block: where it belongs, and what of it goes to the sink.

use extents::extent::length::in_memory;
use extents::failure::Failure;

use crate::unpack::disk_state::DiskState;
use crate::unpack::finding::{Severity, Stop};
use crate::unpack::member::Member;
use crate::unpack::sink::BlockPlace;
use crate::unpack::walk::state::Walk;
use crate::xva::tar_member::RECORD;

/// Bytes of the largest block. Every known writer makes them of 1 MiB; the importer holds a block in memory, too.
const MAX_BLOCK: u64 = 16 << 20;

impl Walk<'_> {
    /// Reads the block `member` of the disk `prefix`, and its checksum.
    pub(crate) fn block(&mut self, member: &Member, prefix: &str, digits: &str) -> Result<(), Stop> {
        let mut disk = if let Some(disk) = self.current.take_if(|disk| disk.prefix == prefix) {
            disk
        } else {
            self.end_disk()?;
            if self.ended.contains(prefix) {
                self.spoil(prefix);
                let what = "belongs to a disk that has ended before";
                return self.reject_block(member, Severity::Damaged, what);
            }
            self.begin_disk(prefix, member)?
        };
        // What was lost may be a block of this disk that stood before this one.
        disk.damaged |= std::mem::take(&mut self.frame_lost) && digits.bytes().any(|digit| digit != b'0');
        let done = self.block_of(&mut disk, member, digits);
        self.current = Some(disk);
        done
    }

    /// Reports a block, and leaves it out with its checksum.
    fn reject_block(&mut self, member: &Member, severity: Severity, what: &str) -> Result<(), Stop> {
        self.rejected = Some(member.name.clone());
        self.reject(member, severity, what)
    }

    /// Reads the block `member` of `disk`, or passes over it if it has no place there.
    fn block_of(&mut self, disk: &mut DiskState, member: &Member, digits: &str) -> Result<(), Stop> {
        let block_length = *self.block_length.get_or_insert(member.size);
        let place = match disk.placement.push(digits, member.size, block_length) {
            Ok(place) => place,
            Err(what) => {
                disk.damaged = true;
                return self.reject_block(member, Severity::Damaged, &what);
            }
        };
        if place.sorts_before_last {
            let what = "the name sorts before the one of the last block: expected eight digits";
            self.findings.raise(member.finding(Severity::Refused, what))?;
        }
        if !member.size.is_multiple_of(RECORD as u64) {
            let what = format!("found {} bytes, expected a multiple of {RECORD}", member.size);
            self.findings.raise(member.finding(Severity::Refused, what))?;
        }
        if let Some(expected) = disk.expected.filter(|expected| place.offset >= *expected) {
            disk.damaged = true;
            let what = format!(
                "lies past the end of the disk: found byte {}, expected less than {expected}",
                place.offset
            );
            return self.reject_block(member, Severity::Damaged, &what);
        }
        self.report_progress(place.offset);
        disk.came(digits).map_err(Stop::Refused)?;
        let byte = self.members.input.position();
        let offset = place.offset;
        self.sink.block(&BlockPlace { prefix: &disk.prefix, offset, size: member.size, byte })?;
        if disk.wanted {
            self.read_block(member)?;
            self.checksum(disk, member)?;
            self.deliver(disk, member, place.offset)?;
        } else if self.options.sample.is_some_and(|sample| disk.blocks == 0 || sample.takes(&member.name)) {
            self.read_block(member)?;
            disk.sampled += u64::from(member.size > 0);
            self.checksum(disk, member)?;
        } else {
            self.members.skip(member)?;
            self.checksum(disk, member)?;
        }
        disk.received = disk.placement.end();
        disk.blocks += u64::from(member.size > 0);
        disk.bytes += member.size;
        Ok(())
    }

    /// Fills the buffer with the data of `member`.
    fn read_block(&mut self, member: &Member) -> Result<(), Stop> {
        if member.size > MAX_BLOCK {
            let (name, found) = (&member.name, member.size);
            let what =
                format!("{name}: the block is too large: found {found} bytes, expected at most {MAX_BLOCK}");
            return Err(Stop::Refused(Failure::unsupported(what)));
        }
        self.buffer.resize(in_memory(member.size), 0);
        self.members.input.read_exact(&mut self.buffer, &member.name)?;
        self.read = Some(member.name.clone());
        self.members.end_data(member.size, &member.name)
    }

    /// Hands the buffer, which belongs at guest byte `offset` of `disk`, to the sink. What lies past the end of the disk,
    /// or past what is wanted of it, must be zero.
    fn deliver(&mut self, disk: &mut DiskState, member: &Member, offset: u64) -> Result<(), Stop> {
        // Bytes of the buffer that lie before guest byte `end`.
        let before = |end: Option<u64>| {
            let length = self.buffer.len() as u64;
            in_memory(end.map_or(length, |end| end.saturating_sub(offset).min(length)))
        };
        let (inside, past) = self.buffer.split_at(before(disk.expected));
        let (data, padding) = inside.split_at(before(disk.cut).min(inside.len()));
        if !data.is_empty() {
            disk.add(offset, data);
            self.sink.write(offset, data)?;
        }
        let lost = padding.iter().chain(past).any(|&byte| byte != 0);
        let severity = if lost { Severity::Damaged } else { Severity::Refused };
        let what = if !past.is_empty() {
            format!("goes beyond the end of the disk: found {} bytes too many", past.len())
        } else if lost {
            format!("holds data past --size: expected zeros from byte {} on", disk.written_size())
        } else {
            return Ok(());
        };
        disk.damaged |= lost;
        self.findings.raise(member.finding(severity, what))?;
        Ok(())
    }
}
