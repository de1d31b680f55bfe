//! Which files an image may name. An image may come from a tenant: it must not make us open other people's files,
//! devices or pipes.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf, absolute};

use rustix::time::{ClockId, clock_gettime};

use crate::failure::{Failure, Status};
use crate::image::at_rest::at_rest;
use crate::image::file::ImageFile;

/// The directories in which the parent, backing and data files of a chain may lie.
#[derive(Debug)]
pub struct Confinement {
    /// The image that the user named, as it was named; none for standard input.
    image: Option<PathBuf>,
    /// Its directory; none when the name leads to no directory: standard input and other descriptors.
    image_directory: Option<PathBuf>,
    search_paths: Vec<PathBuf>,
    /// When the image began to be read, in seconds and nanoseconds since 1970.
    begun: (i64, i64),
    at_rest: bool,
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" or ")
}

fn within(directories: &[PathBuf]) -> String {
    if directories.is_empty() { String::new() } else { format!(" in {}", list(directories)) }
}

impl Confinement {
    /// Confines the files that `image` and the images below it name to its directory and to `search_paths`. Standard input
    /// has no directory.
    pub fn new(image: Option<&Path>, search_paths: &[PathBuf]) -> Result<Self, Failure> {
        let image_directory = image.map(directory_of_given).transpose()?.flatten();
        let search_paths = search_paths.iter().map(|path| given(path)).collect::<Result<_, _>>()?;
        let now = clock_gettime(ClockId::Realtime);
        Ok(Confinement {
            image: image.map(Path::to_path_buf),
            image_directory,
            search_paths,
            begun: (now.tv_sec, now.tv_nsec),
            at_rest: false,
        })
    }

    /// The same, which if it is `wanted` opens files [at rest](crate::image::at_rest): a map is bound to their states.
    #[must_use]
    pub fn at_rest(self, wanted: bool) -> Self {
        Confinement { at_rest: wanted, ..self }
    }

    /// Opens the file that `by` calls `name`: an absolute path, or one joined to the directory of `by`. `what` says what it
    /// is: "backing file". What changes after this confinement was made [has changed](ImageFile::has_changed).
    ///
    /// Status 4 when it lies outside the allowed directories or is no regular file (block devices are allowed below
    /// a search path), status 1 when it is not there or cannot be opened.
    pub fn open(&self, by: &ImageFile, name: &Path, what: &str) -> Result<ImageFile, Failure> {
        let directories = match self.directory_of(by) {
            Some(directory) => vec![directory],
            None => self.search_paths.clone(),
        };
        self.first(&directories, &[name.to_path_buf()], what, false)
            .map_err(|failure| failure.in_file(by.path()))
    }

    /// Opens the first of `names` that exists; relative ones are joined to the directory of `by`, then to each search
    /// path, where LVM's names lie. Otherwise as [`Confinement::open`].
    ///
    /// With `verified`, the caller knows a wrong file when it sees one: what cannot be opened is passed over then.
    /// Without, it ends the search: another file in its place could be a wrong one.
    pub fn find(
        &self,
        by: &ImageFile,
        names: &[PathBuf],
        what: &str,
        verified: bool,
    ) -> Result<ImageFile, Failure> {
        let directories: Vec<_> =
            self.directory_of(by).into_iter().chain(self.search_paths.clone()).collect();
        self.first(&directories, names, what, verified).map_err(|failure| failure.in_file(by.path()))
    }

    fn first(
        &self,
        directories: &[PathBuf],
        names: &[PathBuf],
        what: &str,
        verified: bool,
    ) -> Result<ImageFile, Failure> {
        let mut refused = None;
        for name in names {
            let start_at: &[PathBuf] = if name.is_absolute() { &[PathBuf::new()] } else { directories };
            for directory in start_at {
                match self.open_candidate(&textual(&directory.join(name))?, what) {
                    Ok(Some(file)) => return Ok(file),
                    Ok(None) => {}
                    Err(failure) if !verified => return Err(failure),
                    // What an earlier, better name was refused for says more than what a later one was.
                    Err(failure) => _ = refused.get_or_insert(failure),
                }
            }
        }
        let places = if names.iter().any(|name| name.is_relative()) { directories } else { &[] };
        Err(refused.unwrap_or_else(|| {
            Failure::system(format!("{what} {} not found{}", list(names), within(places)))
        }))
    }

    /// The directory that the names in `by` start from. Files that were found here have absolute paths.
    fn directory_of(&self, by: &ImageFile) -> Option<PathBuf> {
        if self.image.as_deref() == Some(by.path()) || by.path().is_relative() {
            return self.image_directory.clone();
        }
        by.path().parent().map(Path::to_path_buf)
    }

    /// `None` when there is no such file.
    fn open_candidate(&self, candidate: &Path, what: &str) -> Result<Option<ImageFile>, Failure> {
        let below_search_path = self.search_paths.iter().any(|path| candidate.starts_with(path));
        let beside_image = self.image_directory.as_ref().is_some_and(|path| candidate.starts_with(path));
        let directory = candidate.parent().unwrap_or(candidate);
        let advice = || format!("--search-path {} would allow it", directory.display());
        if !below_search_path && !beside_image {
            return Err(Failure::unsupported(format!(
                "{what} {} lies outside the directory of the image: {}",
                candidate.display(),
                advice()
            )));
        }
        // A symbolic link that leads nowhere is there.
        match std::fs::symlink_metadata(candidate) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(Failure::io(candidate, "cannot open", &error)),
            Ok(_) => {}
        }
        let file = match ImageFile::open(candidate) {
            Err(failure) if failure.status() == Status::Usage => {
                return Err(Failure::unsupported(format!("{what} {failure}")));
            }
            opened => opened?,
        };
        if file.is_block_device() && !below_search_path {
            return Err(Failure::unsupported(format!(
                "{what} {} is a block device: {}",
                candidate.display(),
                advice()
            )));
        }
        let file = file.of_what_began(self.begun);
        Ok(Some(if self.at_rest { at_rest(file)? } else { file }))
    }
}

/// The directory of the image that the user named. The names of descriptors lead to no directory of images.
fn directory_of_given(image: &Path) -> Result<Option<PathBuf>, Failure> {
    let image = absolute(image).map_err(|error| Failure::io(image, "cannot make absolute", &error))?;
    let directory = given(image.parent().unwrap_or(&image))?;
    let descriptors =
        directory == Path::new("/dev") || ["/dev/fd", "/proc"].iter().any(|path| directory.starts_with(path));
    Ok((!descriptors).then_some(directory))
}

/// A directory as the user named it. With `..` in its name the system decides where it leads, symbolic links included;
/// otherwise its text does, so that an image may name its neighbours by the same path as the user.
fn given(directory: &Path) -> Result<PathBuf, Failure> {
    if directory.components().any(|component| component == Component::ParentDir) {
        return directory.canonicalize().map_err(|error| Failure::io(directory, "cannot find", &error));
    }
    textual(directory)
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
