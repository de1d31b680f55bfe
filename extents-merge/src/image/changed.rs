//! What is said of a file that is another one than when it was opened: that it is to be tried again, since it is not damaged.

use std::path::Path;

use crate::failure::Failure;

/// Status 1, with the name `path`: `what` shows that the file has changed.
pub fn changed(path: &Path, what: &str) -> Failure {
    Failure::system(format!("changed while it was read: {what}; try again")).in_file(path)
}

/// The same for a `failure` that comes of the change, with its sentence.
pub fn changed_rather_than(failure: &Failure, path: &Path) -> Failure {
    let (sentence, name) = (failure.to_string(), format!("{}: ", path.display()));
    changed(path, sentence.strip_prefix(&name).unwrap_or(&sentence))
}
