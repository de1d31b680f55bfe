//! Where an archive departs from what the importer expects, and how bad that is.

use std::fmt;
use std::path::Path;

use extents::failure::Failure;

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The importer takes it; another reader may not.
    Remark,
    /// The importer refuses the archive, but which bytes belong where is beyond doubt.
    Refused,
    /// The importer takes the archive, and leaves data in it out.
    LeftOut,
    /// Bytes are missing or wrong, or it is not certain where they belong.
    Damaged,
}

/// One departure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Byte of the archive at which the first header of the member begins, or where reading came to.
    pub(crate) byte: u64,
    /// Name of the member, if it has one.
    pub(crate) member: String,
    /// What is wrong.
    pub(crate) what: String,
}

impl Finding {
    /// A finding about no member: it ends the reading, as nothing after it can be trusted.
    pub(crate) fn damage_at(byte: u64, what: impl Into<String>) -> Self {
        Finding { severity: Severity::Damaged, byte, member: String::new(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity {
            Severity::Refused => f.write_str("xapi refuses it: ")?,
            Severity::LeftOut => f.write_str("xapi does not import it: ")?,
            Severity::Remark | Severity::Damaged => {}
        }
        if !self.member.is_empty() {
            write!(f, "{} ", self.member)?;
        }
        write!(f, "at byte {}: {}", self.byte, self.what)
    }
}

/// Why reading stops before the end of the archive.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The system, with a sentence that names the file it is about.
    Failed(Failure),
    /// Something about the archive that is no finding, such as that it is compressed.
    Refused(Failure),
    /// The archive cannot be followed any further.
    Damaged(Finding),
}

impl Stop {
    /// The failure that the program ends with; `archive` is what it reads.
    pub(crate) fn into_failure(self, archive: &Path) -> Failure {
        match self {
            Stop::Failed(failure) => failure,
            Stop::Refused(failure) => failure.in_file(archive),
            Stop::Damaged(finding) => Failure::damaged(finding.to_string()).in_file(archive),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Stop::Damaged(finding)
    }
}
