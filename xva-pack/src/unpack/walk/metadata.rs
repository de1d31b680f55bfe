//! The first member, `ova.xml`: read for the walk, or taken out as it is.

use extents::extent::length::in_memory;
use extents::failure::{Failure, Status};

use crate::ova::metadata::{FILE_NAME, MAX_BYTES, read};
use crate::unpack::finding::{Finding, Severity, Stop};
use crate::unpack::findings::Findings;
use crate::unpack::input::Input;
use crate::unpack::members::{Member, Members};
use crate::unpack::walk::state::Walk;

/// The `ova.xml` of an archive, as it is.
pub fn read_ova(input: Input, findings: &mut Findings) -> Result<Vec<u8>, Failure> {
    let name = input.name().clone();
    let mut members = Members::new(input);
    let mut take = || {
        let Some(member) = members.next(findings)? else {
            return Err(Stop::Refused(Failure::damaged("is empty")));
        };
        if member.name != FILE_NAME {
            return Err(member.finding(Severity::Damaged, "is the first member: expected ova.xml").into());
        }
        let bytes = metadata_bytes(&mut members, &member)?;
        members.input.let_writer_finish()?;
        Ok(bytes)
    };
    take().map_err(|stop: Stop| stop.into_failure(name.name()))
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
        let Some(member) = self.members.next(self.findings)? else {
            return Err(Stop::Refused(Failure::damaged("is empty: expected an archive")));
        };
        if self.members.input.looks_like_gzip() {
            let what = "is compressed with zstd, but begins with a skippable frame: xapi takes it for gzip";
            self.findings.raise(Finding { severity: Severity::Remark, ..Finding::damage_at(0, what) })?;
        }
        if member.name != FILE_NAME || !member.is_file {
            self.ahead = Some(member);
            return Ok(());
        }
        let bytes = metadata_bytes(&mut self.members, &member)?;
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
                self.findings.raise(member.finding(Severity::Damaged, failure.to_string()))?;
            }
            Err(failure) => return Err(Stop::Refused(failure)),
        }
        Ok(())
    }
}
