//! What is done with a finding: said, counted, or the end of the work.

use std::path::{Path, PathBuf};

use extents::frame::messages::Messages;

use crate::unpack::finding::{Finding, Severity};

/// Lines on stderr: an archive of a million wrong members is not worth a million of them.
const MAX_LINES: u64 = 20;

/// Findings that are kept for `--json`, whose members may have long names.
const MAX_KEPT: usize = 100;

/// Which findings end the work.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// What the importer refuses ends it too, although the bytes are beyond doubt.
    pub strict: bool,
    /// No finding ends it, as long as reading can go on.
    pub keep_going: bool,
}

/// The findings so far, counted.
#[derive(Debug)]
pub struct Findings {
    policy: Policy,
    messages: Messages,
    /// The archive, as messages call it.
    name: Option<PathBuf>,
    said: u64,
    /// The first of them, as they came.
    kept: Vec<Finding>,
    /// All of them, those that ended the work among them.
    count: u64,
    /// Those that make the archive unsound under the policy.
    bad: u64,
}

impl Findings {
    /// No findings yet.
    pub fn new(policy: Policy, messages: Messages) -> Self {
        Findings { policy, messages, name: None, said: 0, kept: Vec::new(), count: 0, bad: 0 }
    }

    /// They are those of the archive called `name`, which stands in front of what is said.
    #[must_use]
    pub fn of(self, name: &Path) -> Self {
        Findings { name: Some(name.to_path_buf()), ..self }
    }

    /// Takes a finding, which comes back if it ends the work.
    pub(crate) fn raise(&mut self, finding: Finding) -> Result<(), Finding> {
        self.count += 1;
        if self.kept.len() < MAX_KEPT {
            self.kept.push(finding.clone());
        }
        let bad = match finding.severity {
            Severity::Remark => false,
            Severity::Refused => self.policy.strict,
            Severity::LeftOut | Severity::Damaged => true,
        };
        if bad && !self.policy.keep_going {
            return Err(finding);
        }
        self.bad += u64::from(bad);
        self.said += 1;
        match self.said {
            1..=MAX_LINES => self.warn(&finding.to_string()),
            n if n == MAX_LINES + 1 => self.warn("more of this kind is not shown"),
            _ => {}
        }
        Ok(())
    }

    fn warn(&self, sentence: &str) {
        match &self.name {
            Some(name) => self.messages.warn(format!("{}: {sentence}", name.display())),
            None => self.messages.warn(sentence),
        }
    }

    /// How many findings make the archive unsound.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// The first of all findings, and how many there were.
    pub(crate) fn kept(&self) -> (&[Finding], u64) {
        (&self.kept, self.count)
    }

    /// What ends the work.
    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extents::frame::messages::Verbosity;

    #[test]
    fn the_policy_says_which_findings_end_the_work_and_which_make_the_archive_unsound() {
        use Severity::{Damaged, LeftOut, Refused, Remark};
        for (strict, keep_going, ends, bad) in [
            (false, false, &[LeftOut, Damaged][..], 0),
            (true, false, &[Refused, LeftOut, Damaged], 0),
            (false, true, &[], 2),
            (true, true, &[], 3),
        ] {
            let quiet = Messages::new("test", Verbosity { quiet: true, verbose: false });
            let mut findings = Findings::new(Policy { strict, keep_going }, quiet);
            for severity in [Remark, Refused, LeftOut, Damaged] {
                let finding = Finding { severity, ..Finding::damage_at(0, "it") };
                let ended = findings.raise(finding).is_err();
                assert_eq!(ended, ends.contains(&severity), "{strict} {keep_going} {severity:?}");
            }
            assert_eq!(findings.bad(), bad, "{strict} {keep_going}");
        }
    }
}
