//! Paths made absolute and normal, so that it can be seen in which directory they lie.

use std::path::{Component, Path, PathBuf, absolute};

use crate::failure::Failure;

/// The directory of the image that the user named. The names of descriptors lead to no directory of images.
pub(crate) fn directory_of_given(image: &Path) -> Result<Option<PathBuf>, Failure> {
    let image = absolute(image).map_err(|error| Failure::io(image, "cannot make absolute", &error))?;
    let directory = given(image.parent().unwrap_or(&image))?;
    let descriptors =
        directory == Path::new("/dev") || ["/dev/fd", "/proc"].iter().any(|path| directory.starts_with(path));
    Ok((!descriptors).then_some(directory))
}

/// A directory as the user named it. With `..` in its name the system decides where it leads, symbolic links included;
/// otherwise its text does, so that an image may name its neighbours by the same path as the user.
pub(crate) fn given(directory: &Path) -> Result<PathBuf, Failure> {
    if directory.components().any(|component| component == Component::ParentDir) {
        return directory.canonicalize().map_err(|error| Failure::io(directory, "cannot find", &error));
    }
    textual(directory)
}

/// Absolute, and without `.`, `..` and doubled slashes, by the text alone: no symbolic link is looked at.
pub(crate) fn textual(path: &Path) -> Result<PathBuf, Failure> {
    let path = absolute(path).map_err(|error| Failure::io(path, "cannot make absolute", &error))?;
    let mut normal = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            normal.pop();
        } else {
            normal.push(component);
        }
    }
    Ok(normal)
}
