//! `--json`: what was found in the archives, as one document for the program that watches over them. Its keys and their meaning
//! stand in the README of this package, and stay.

use extents::failure::{Failure, Status};
use serde::Serialize;

use crate::unpack::finding::{Finding, Severity};
use crate::unpack::findings::Findings;
use crate::unpack::report::{Archive, DiskReport};
use crate::unpack::table::{checksums, state};
use crate::unpack::task::Task;

/// The whole document.
#[derive(Serialize)]
struct Document<'a> {
    exit_status: u8,
    archives: &'a [Answer],
}

/// What is said of one archive.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// What the user called it.
    archive: String,
    verdict: &'static str,
    exit_status: u8,
    /// Why it is not 0.
    error: Option<String>,
    /// Bytes that were read, decompressed.
    bytes: u64,
    has_ova: bool,
    disks: Vec<DiskAnswer>,
    findings: Vec<Departure>,
    /// All, of which the first are in `findings`.
    findings_count: u64,
}

#[derive(Debug, Serialize)]
struct DiskAnswer {
    r#ref: String,
    name: String,
    virtual_size: u64,
    /// Bytes that the CRC-32 is of: all, or what `--size` says.
    wanted_size: u64,
    blocks: u64,
    blocks_of_disk: u64,
    bytes: u64,
    checksum: Option<String>,
    /// Eight lower-case hexadecimal digits; null if the bytes were not read.
    crc32: Option<String>,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Departure {
    severity: &'static str,
    byte: u64,
    member: Option<String>,
    what: String,
}

impl Answer {
    /// What was found in the archive `name`, and how the task ended.
    pub fn new(
        name: String,
        archive: &Archive,
        findings: &Findings,
        task: &Task,
        done: &Result<(), Failure>,
    ) -> Self {
        let status = done.as_ref().err().map(Failure::status);
        let verdict = match status {
            None if *task == Task::List => "unchecked",
            None if *task == Task::Sample => "sampled",
            None => "sound",
            Some(status) => unsound(status),
        };
        let (kept, findings_count) = findings.kept();
        Answer {
            archive: name,
            verdict,
            exit_status: status.map_or(0, |status| status as u8),
            error: done.as_ref().err().map(ToString::to_string),
            bytes: archive.bytes,
            has_ova: archive.has_ova,
            disks: archive.disks.iter().map(DiskAnswer::from).collect(),
            findings: kept.iter().map(Departure::from).collect(),
            findings_count,
        }
    }
}

/// The verdict on an archive that was not shown to be sound.
pub fn unsound(status: Status) -> &'static str {
    match status {
        Status::Damaged => "damaged",
        Status::Unsupported => "unsupported",
        Status::System | Status::Usage => "failed",
    }
}

impl From<&DiskReport> for DiskAnswer {
    fn from(disk: &DiskReport) -> Self {
        DiskAnswer {
            r#ref: disk.prefix.clone(),
            name: disk.name.clone(),
            virtual_size: disk.size,
            wanted_size: disk.wanted_size,
            blocks: disk.blocks,
            blocks_of_disk: disk.blocks_of_disk,
            bytes: disk.bytes,
            checksum: checksums(disk),
            crc32: disk.crc32.map(|crc| format!("{crc:08x}")),
            state: state(disk),
        }
    }
}

impl From<&Finding> for Departure {
    fn from(finding: &Finding) -> Self {
        Departure {
            severity: match finding.severity {
                Severity::Remark => "remark",
                Severity::Refused => "refused",
                Severity::LeftOut => "left_out",
                Severity::Damaged => "damaged",
            },
            byte: finding.byte,
            member: (!finding.member.is_empty()).then(|| finding.member.clone()),
            what: finding.what.clone(),
        }
    }
}

/// The document about `archives`, with a newline; `worst` is how the program ends.
pub fn document(archives: &[Answer], worst: Option<Status>) -> Result<String, Failure> {
    let exit_status = worst.map_or(0, |status| status as u8);
    let text = serde_json::to_string(&Document { exit_status, archives });
    text.map(|text| text + "\n").map_err(|error| Failure::system(format!("cannot write the answer: {error}")))
}

/// The worse of two statuses: damage before what could not be read, and that before what is beyond this program.
pub fn worse(one: Option<Status>, other: Option<Status>) -> Option<Status> {
    let rank = |status: &Option<Status>| match status {
        None => 0,
        Some(Status::Usage) => 1,
        Some(Status::Unsupported) => 2,
        Some(Status::System) => 3,
        Some(Status::Damaged) => 4,
    };
    std::cmp::max_by_key(one, other, rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_the_worst_in_either_order() {
        use Status::{Damaged, System, Unsupported};
        let order = [None, Some(Unsupported), Some(System), Some(Damaged)];
        for (at, &one) in order.iter().enumerate() {
            for &other in &order[at..] {
                assert_eq!((worse(one, other), worse(other, one)), (other, other));
            }
        }
    }
}
