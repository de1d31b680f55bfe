//! Whether `xva-unpack --verify` says of each variant what it must say.

use crate::archive_builder::{unpack, unpack_file};

/// Name, archive, and what must be said of it.
pub(crate) type Variant = (&'static str, Vec<u8>, Verdict);

/// What `--verify` must say.
pub(crate) enum Verdict {
    /// Status 0, and nothing on stderr.
    Sound,
    /// Status 0, and a warning with this in it.
    Warned(&'static str),
    /// This status, and one line with this in it.
    Refused(i32, &'static str),
}

/// Judges each variant in a pipe and in a file.
pub(crate) fn judge(variants: Vec<Variant>) {
    assert!(variants.len() >= 12, "only {} variants: is the table whole?", variants.len());
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, archive, verdict) in variants {
        let (status, said, lines) = match verdict {
            Verdict::Sound => (0, "", 0),
            Verdict::Warned(said) => (0, said, 1),
            Verdict::Refused(status, said) => (status, said, 1),
        };
        for answer in [unpack(&archive, &["--verify"]), unpack_file(folder.path(), &archive, &["--verify"])] {
            let as_expected = answer.status == status
                && answer.stderr.contains(said)
                && answer.stderr.lines().count() == lines
                && answer.stdout.is_empty() == (status != 0);
            if !as_expected {
                wrong.push(format!(
                    "{name}: expected {status} {said:?}, found {} {}",
                    answer.status, answer.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
