//! The file, directory or stream that the user wants disks in: the one place that knows that `-` is standard output.

use std::path::{Path, PathBuf};

/// By these names it would be opened a second time, and the table of disks written after the disk.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// An argument that names an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputName {
    /// `-`, or what the system calls it.
    Stdout,
    /// Anything else.
    File(PathBuf),
}

impl From<PathBuf> for OutputName {
    fn from(path: PathBuf) -> Self {
        if STDOUT.iter().any(|stdout| path == Path::new(stdout)) {
            OutputName::Stdout
        } else {
            OutputName::File(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_output_is_known_by_each_of_its_names() {
        for name in ["-", "/dev/stdout", "/dev//stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            assert_eq!(OutputName::from(PathBuf::from(name)), OutputName::Stdout, "{name}");
        }
        for name in ["./-", "/dev/fd/2", "stdout"] {
            assert_eq!(OutputName::from(PathBuf::from(name)), OutputName::File(name.into()));
        }
    }
}
