//! Where a name that an image says may lead, and the words for that.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::image::normal_path::textual;

/// The paths that `names` may mean, normalised: relative names start from each of `directories`.
pub(crate) fn candidates(
    directories: &[PathBuf],
    names: &[PathBuf],
) -> impl Iterator<Item = Result<PathBuf, Failure>> {
    let start = |name: &Path| if name.is_absolute() { vec![PathBuf::new()] } else { directories.to_vec() };
    names
        .iter()
        .flat_map(move |name| start(name).into_iter().map(move |directory| textual(&directory.join(name))))
}

/// Status 1 for what none of `names` led to.
pub(crate) fn not_found(names: &[PathBuf], directories: &[PathBuf], what: &str) -> Failure {
    let places = if names.iter().any(|name| name.is_relative()) { directories } else { &[] };
    Failure::system(format!("{what} {} not found{}", list(names), within(places)))
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" or ")
}

/// Where it was looked for, for a sentence.
pub(crate) fn within(directories: &[PathBuf]) -> String {
    if directories.is_empty() { String::new() } else { format!(" in {}", list(directories)) }
}
