//! Which files an image may name. An image may come from a tenant: it must not make us open other people's files,
//! devices or pipes.

use std::path::{Component, Path, PathBuf, absolute};

use crate::failure::{Failure, Status};
use crate::image_file::ImageFile;

/// The directories in which the parent, backing and data files of a chain may lie.
#[derive(Debug)]
pub struct Confinement {
    /// Directory of the image that the user named; none when that is standard input.
    image_directory: Option<PathBuf>,
    search_paths: Vec<PathBuf>,
}

/// `--search-path`, flattened into the arguments of the header tools.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SearchPaths {
    /// Directory in which files named by an image may lie, besides the directory of IMAGE (repeatable)
    #[arg(long = "search-path", value_name = "DIR")]
    pub directories: Vec<PathBuf>,
}

impl Confinement {
    /// Confines the files that `image` and the images below it name to its directory and to `search_paths`.
    pub fn new(image: &Path, search_paths: &SearchPaths) -> Result<Self, Failure> {
        let image_directory =
            if image.as_os_str() == "-" { None } else { Some(directory_of(&textual(image)?).to_path_buf()) };
        let search_paths =
            search_paths.directories.iter().map(|path| textual(path)).collect::<Result<_, _>>()?;
        Ok(Confinement { image_directory, search_paths })
    }

    /// Opens the first of `names` that exists, as the file `by` would name it: joined to the directory of `by`, then
    /// to each search path. `what` says what is looked for: "backing file", "parent".
    ///
    /// Status 4 when it lies outside the allowed directories or is no regular file (block devices are allowed below
    /// a search path), status 1 when it is not there.
    pub fn open(&self, by: &ImageFile, names: &[PathBuf], what: &str) -> Result<ImageFile, Failure> {
        let mut refused = None;
        for name in names {
            for candidate in self.candidates(by.path(), name)? {
                match self.open_candidate(&candidate, what) {
                    Ok(Some(file)) => return Ok(file),
                    Ok(None) => {}
                    Err(failure) => {
                        // What an earlier, better name was refused for says more than what a later one was.
                        refused.get_or_insert(failure);
                    }
                }
            }
        }
        let names: Vec<_> = names.iter().map(|name| name.display().to_string()).collect();
        Err(refused
            .unwrap_or_else(|| Failure::system(format!("{what} {} not found", names.join(" or "))))
            .in_file(by.path()))
    }

    /// Where `name`, given by the image at `by`, may be: absolute paths without `.` and `..`.
    fn candidates(&self, by: &Path, name: &Path) -> Result<Vec<PathBuf>, Failure> {
        if name.is_absolute() {
            return Ok(vec![textual(name)?]);
        }
        let own = if self.image_directory.is_some() { Some(textual(by)?) } else { None };
        let own = own.as_deref().map(directory_of);
        own.into_iter()
            .chain(self.search_paths.iter().map(PathBuf::as_path))
            .map(|dir| textual(&dir.join(name)))
            .collect()
    }

    /// `None` when there is no such file.
    fn open_candidate(&self, candidate: &Path, what: &str) -> Result<Option<ImageFile>, Failure> {
        let below_search_path = self.search_paths.iter().any(|path| candidate.starts_with(path));
        let beside_image = self.image_directory.as_ref().is_some_and(|path| candidate.starts_with(path));
        let advice = || format!("--search-path {} would allow it", directory_of(candidate).display());
        if !below_search_path && !beside_image {
            return Err(Failure::unanswerable(format!(
                "{what} {} lies outside the directory of the image: {}",
                candidate.display(),
                advice()
            )));
        }
        match std::fs::metadata(candidate) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io(candidate, "cannot open", &error)),
            Ok(_) => {}
        }
        let file = match ImageFile::open(candidate) {
            Err(failure) if failure.status() == Status::Usage => {
                return Err(Failure::unanswerable(format!("{what} {failure}")));
            }
            opened => opened?,
        };
        if file.is_block_device() && !below_search_path {
            return Err(Failure::unanswerable(format!(
                "{what} {} is a block device: {}",
                candidate.display(),
                advice()
            )));
        }
        Ok(Some(file))
    }
}

/// The directory that a file lies in, by the text of its name.
fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Absolute, and without `.`, `..` and doubled slashes, by the text alone: no symbolic link is looked at.
fn textual(path: &Path) -> Result<PathBuf, Failure> {
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
