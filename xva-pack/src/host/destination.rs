//! What a name leads to that is to be written to: what its links lead to is written, and not the links.

use std::fs::{Metadata, metadata, read_link, symlink_metadata};
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use extents::failure::Failure;
use extents::image::overwrite;

/// The most links that are followed, as in the kernel.
const MAX_LINKS: usize = 40;

/// Where an output goes.
#[derive(Debug)]
pub(crate) struct Destination {
    /// What the user calls it.
    pub(crate) name: PathBuf,
    /// The same without symbolic links at its end.
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

/// What is there.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Nothing.
    New,
    /// A file, which can be replaced by another one.
    File(Metadata),
    /// A block device.
    Device,
    /// What is written to as it is: a pipe, a character device, an open descriptor.
    Stream,
}

impl Destination {
    /// Follows `name`, of which takes note who looks for files that are both [read and written](overwrite): status 2.
    ///
    /// Status 1 for a directory, and for a link that leads nowhere.
    pub(crate) fn of(name: &Path) -> Result<Self, Failure> {
        let Some((path, is_descriptor)) = follow(name)? else {
            return Ok(Destination { name: name.to_path_buf(), path: name.to_path_buf(), kind: Kind::New });
        };
        let found = metadata(name).map_err(|e| Failure::io(name, "cannot look at it", &e))?;
        overwrite::writes(&found, name)?;
        let kind = found.file_type();
        let kind = match () {
            () if kind.is_dir() => {
                return Err(Failure::system("is a directory: expected a file").in_file(name));
            }
            () if kind.is_block_device() => Kind::Device,
            () if kind.is_file() && !is_descriptor => Kind::File(found),
            () => Kind::Stream,
        };
        Ok(Destination { name: name.to_path_buf(), path, kind })
    }
}

/// The folder that the file `path` lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path that `name` leads to, link by link, and whether that is an open descriptor, which has no name of its own; none
/// if nothing is there.
fn follow(name: &Path) -> Result<Option<(PathBuf, bool)>, Failure> {
    let mut path = name.to_path_buf();
    for _ in 0..MAX_LINKS {
        let found = match symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && path == name => return Ok(None),
            Err(error) => {
                let what = format!("is a link that leads nowhere: found {}", path.display());
                return Err(Failure::io(name, &what, &error));
            }
            Ok(found) => found,
        };
        // The links in a folder of descriptors are only a manner of speaking.
        let folder = folder_of(&path).canonicalize();
        if folder.is_ok_and(|folder| folder.starts_with("/proc")) {
            return Ok(Some((path, true)));
        }
        if !found.is_symlink() {
            return Ok(Some((path, false)));
        }
        let target = read_link(&path).map_err(|e| Failure::io(name, "cannot follow the link", &e))?;
        path = folder_of(&path).join(target);
    }
    Err(Failure::system(format!("leads nowhere: found more than {MAX_LINKS} links")).in_file(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("inside")).unwrap();
        symlink("../file", at("inside/relative")).unwrap();
        symlink(at("inside/relative"), at("absolute")).unwrap();
        let found = Destination::of(&at("absolute")).unwrap();
        assert!(matches!(found.kind, Kind::File(_)), "{found:?}");
        assert_eq!((found.name, found.path), (at("absolute"), at("inside/../file")));
        assert!(matches!(Destination::of(&at("new")).unwrap().kind, Kind::New));
        assert!(matches!(Destination::of(Path::new("/dev/null")).unwrap().kind, Kind::Stream));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("nowhere", at("dangling")).unwrap();
        symlink("nowhere/file", at("no-folder")).unwrap();
        symlink("circle", at("circle")).unwrap();
        for name in ["dangling", "no-folder", "circle", "."] {
            let failure = Destination::of(&at(name)).unwrap_err();
            assert_eq!(failure.status() as u8, 1, "{failure}");
        }
    }

    #[test]
    fn a_descriptor_is_written_to_as_it_is() {
        let file = tempfile::tempfile().unwrap();
        let path = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
        assert!(matches!(Destination::of(&path).unwrap().kind, Kind::Stream));
    }
}
