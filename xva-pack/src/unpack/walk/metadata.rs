//! The first member, `ova.xml`: read for the walk, or taken out as it is.

use extents::extent::length::in_memory;
use extents::failure::{Failure, Status};

use crate::ova::disk::Disk;
use crate::ova::metadata::{FILE_NAME, MAX_BYTES, Ova, read};
use crate::unpack::finding::{Finding, Severity, Stop};
use crate::unpack::findings::Findings;
use crate::unpack::foreign;
use crate::unpack::input::Input;
use crate::unpack::member::Member;
use crate::unpack::members::Members;
use crate::unpack::walk::state::Walk;

/// The `ova.xml` of an archive, as it is.
pub fn read_ova(input: Input, findings: &mut Findings) -> Result<Vec<u8>, Failure> {
    let name = input.name().clone();
    let mut members = Members::new(input);
    let mut take = || {
        let Some(member) = members.next(findings)? else {
            return Err(foreign::refuse_empty(&mut members.input)?);
        };
        if member.name != FILE_NAME {
            if let Some(failure) = foreign::foreign_tar(&member.name) {
                return Err(Stop::Refused(failure));
            }
            return Err(member.finding(Severity::Damaged, "is the first member: expected ova.xml").into());
        }
        let bytes = metadata_bytes(&mut members, &member)?;
        members.input.let_writer_finish()?;
        Ok(bytes)
    };
    let taken = take().map_err(|stop: Stop| stop.into_failure(name.name()));
    taken.map_err(|failure| members.input.judge(failure))
}

/// The data of the member `ova.xml`.
fn metadata_bytes(members: &mut Members, member: &Member) -> Result<Vec<u8>, Stop> {
    if member.size > MAX_BYTES as u64 {
        let (name, found) = (&member.name, member.size);
        let what = format!("{name} is too large: found {found} bytes, expected at most {MAX_BYTES}");
        return Err(Stop::Refused(Failure::unsupported(what)));
    }
    let mut bytes = vec![0; in_memory(member.size)];
    members.input.read_exact(&mut bytes, &member.name)?;
    members.end_data(member.size, &member.name)?;
    Ok(bytes)
}

impl Walk<'_> {
    /// Reads `ova.xml` if the archive begins with it.
    pub(crate) fn metadata(&mut self) -> Result<(), Stop> {
        let Some(member) = self.next_after_damage()? else {
            return Err(foreign::refuse_empty(&mut self.members.input)?);
        };
        if let Some(failure) = foreign::foreign_tar(&member.name) {
            return Err(Stop::Refused(failure));
        }
        if self.members.input.looks_like_gzip() {
            let what = "is compressed with zstd, but begins with a skippable frame: xapi takes it for gzip";
            self.findings.raise(Finding { severity: Severity::Remark, ..Finding::damage_at(0, what) })?;
        }
        if member.name != FILE_NAME || !member.is_file {
            self.ahead = Some(member);
            return Ok(());
        }
        self.take_metadata(&member)
    }

    /// Reports an `ova.xml` that is not the first member. It still says how long the disks are.
    pub(crate) fn late_metadata(&mut self, member: &Member) -> Result<(), Stop> {
        let what = "is not the first member";
        if self.ova.is_some() || self.members.trailer_seen || !member.is_file {
            return self.reject(member, Severity::Refused, what);
        }
        self.findings.raise(member.finding(Severity::Refused, what))?;
        self.take_metadata(member)?;
        let mut begun = self.ended.iter().chain(self.current.as_ref().map(|disk| &disk.prefix));
        if let Some(prefix) = begun.find(|prefix| self.is_unknown(prefix)).cloned() {
            self.spoil(&prefix);
            let what = format!("has no disk {prefix}, of which blocks came before");
            self.findings.raise(member.finding(Severity::Damaged, what))?;
        }
        let wanted = |disk: &&Disk| self.is_wanted(&disk.prefix);
        let disks: Vec<Disk> = self.ova.iter().flat_map(Ova::streamed).filter(wanted).cloned().collect();
        for disk in disks {
            if let Some(end) = self.wrong_end(&disk) {
                self.spoil(&disk.prefix);
                let what = format!(
                    "found {} bytes for disk {}, expected {end}, where its last block ends",
                    disk.virtual_size, disk.prefix
                );
                self.findings.raise(member.finding(Severity::Damaged, what))?;
            }
        }
        Ok(())
    }

    /// Guest byte at which `disk`, whose blocks came, ends by them, if the metadata does not agree. The disk at hand
    /// learns its size.
    fn wrong_end(&mut self, disk: &Disk) -> Option<u64> {
        let size = disk.virtual_size;
        if let Some(current) = self.current.as_mut().filter(|current| current.prefix == disk.prefix) {
            current.expected = Some(size);
            return Some(current.placement.end()).filter(|end| *end > size);
        }
        let held = self.held.iter().map(|held| (&held.prefix, held.placement.end()));
        let mut ended = held.chain(self.reports.iter().map(|report| (&report.prefix, report.size)));
        ended.find(|(prefix, _)| **prefix == disk.prefix).map(|(_, end)| end).filter(|end| *end != size)
    }

    fn take_metadata(&mut self, member: &Member) -> Result<(), Stop> {
        let bytes = metadata_bytes(&mut self.members, member)?;
        match read(&bytes) {
            Ok(mut ova) => {
                for objection in std::mem::take(&mut ova.objections) {
                    self.findings.raise(member.finding(Severity::Refused, objection))?;
                }
                // Said once: such metadata is written by people, who then left out the same field everywhere.
                if let Some(field) = ova.missing_fields.first().filter(|_| self.findings.policy().strict) {
                    self.findings.raise(member.finding(Severity::Remark, field.as_str()))?;
                }
                self.ova = Some(ova);
            }
            Err(failure) if failure.status() == Status::Damaged => {
                if let Some(failure) = foreign::foreign_metadata(&bytes) {
                    return Err(Stop::Refused(failure));
                }
                self.findings.raise(member.finding(Severity::Damaged, failure.to_string()))?;
            }
            Err(failure) => return Err(Stop::Refused(failure)),
        }
        Ok(())
    }
}
