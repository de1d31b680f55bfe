//! Which files an image may name. An image may come from a tenant: it must not make us open other people's files,
//! devices or pipes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use crate::failure::{Failure, Status};
use crate::image::at_rest::at_rest;
use crate::image::candidates::{candidates, not_found, within};
use crate::image::file::{ImageFile, check_kind};
use crate::image::letter_case::in_other_case;
use crate::image::normal_path::{directory_of_given, given};
use crate::image::shell_word::shell_word;

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

/// The file that a name led to.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub file: ImageFile,
    /// Whether it is not where the name says, but the only one of the same file name. It may be a wrong one.
    pub moved: bool,
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
    /// is: "backing file"; `remedy` is the command that names another.
    ///
    /// An absolute path that is not there was perhaps moved together with `by`: its file name is looked for in the directory
    /// of `by` and in each search path, and taken if it leads to one file only. Nothing tells whether that is the right one.
    ///
    /// What changes after this confinement was made [has changed](ImageFile::has_changed).
    ///
    /// Status 4 when it lies outside the allowed directories or is no regular file (block devices are allowed below
    /// a search path), or when several files have its name; status 1 when it is not there or cannot be opened.
    pub fn open(&self, by: &ImageFile, name: &Path, what: &str, remedy: &str) -> Result<Found, Failure> {
        let directories = match self.directory_of(by) {
            Some(directory) => vec![directory],
            None => self.search_paths.clone(),
        };
        let names = [name.to_path_buf()];
        let found = match self.first(&directories, &names, what, false) {
            Ok(Some(file)) => return Ok(Found { file, moved: false }),
            Ok(None) if name.is_absolute() => self.namesake(by, name, what),
            Ok(None) => Err(Failure::system(format!(
                "{}, where a relative name leads",
                not_found(&names, &directories, what)
            ))),
            Err(failure) => return Err(failure.in_file(by.path())),
        };
        found.map_err(|failure| {
            let sentence = format!("{failure}; {remedy} names another");
            Failure::new(failure.status(), sentence).in_file(by.path())
        })
    }

    /// Opens the first of `names` that exists; relative ones are joined to the directory of `by`, then to each search
    /// path, where LVM's names lie. Otherwise as [`Confinement::open`].
    ///
    /// With `verified`, the caller knows a wrong file when it sees one: what cannot be opened is passed over then, and where
    /// no name leads to a file, the only one whose name differs in the case of letters is taken. Without, what cannot be
    /// opened ends the search: another file in its place could be a wrong one.
    pub fn find(
        &self,
        by: &ImageFile,
        names: &[PathBuf],
        what: &str,
        verified: bool,
    ) -> Result<ImageFile, Failure> {
        let directories = self.directories_for(by);
        let found = match self.first(&directories, names, what, verified) {
            Ok(None) if verified => self.first_in_other_case(by, &directories, names, what),
            found => found,
        };
        found
            .and_then(|file| file.ok_or_else(|| not_found(names, &directories, what)))
            .map_err(|failure| failure.in_file(by.path()))
    }

    /// The first of `names` that exists. What it was refused for says more than that others are not there.
    fn first(
        &self,
        directories: &[PathBuf],
        names: &[PathBuf],
        what: &str,
        verified: bool,
    ) -> Result<Option<ImageFile>, Failure> {
        let mut refused = None;
        for candidate in candidates(directories, names) {
            match self.open_candidate(&candidate?, what) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                // An output that is found in its place is no reason to look elsewhere.
                Err(failure) if !verified || failure.status() == Status::Usage => return Err(failure),
                // What an earlier, better name was refused for says more than what a later one was.
                Err(failure) => _ = refused.get_or_insert(failure),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// The same for a name that differs in case; `by` does not name itself.
    fn first_in_other_case(
        &self,
        by: &ImageFile,
        directories: &[PathBuf],
        names: &[PathBuf],
        what: &str,
    ) -> Result<Option<ImageFile>, Failure> {
        for candidate in candidates(directories, names) {
            let candidate = candidate?;
            let mut allowed = self.image_directory.iter().chain(&self.search_paths);
            if let Some(found) = allowed.find_map(|directory| in_other_case(directory, &candidate))
                && let Some(file) = self.open_candidate(&found, what)?
                && file.identity() != by.identity()
            {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The only file that has the file name of `missing`, in the directories where it may have moved to.
    fn namesake(&self, by: &ImageFile, missing: &Path, what: &str) -> Result<Found, Failure> {
        let directories = self.directories_for(by);
        let mut found: Option<ImageFile> = None;
        let names: Vec<_> = missing.file_name().map(PathBuf::from).into_iter().collect();
        for candidate in candidates(&directories, &names) {
            let Some(file) = self.open_candidate(&candidate?, what)? else { continue };
            match &found {
                _ if file.identity() == by.identity() => {}
                None => found = Some(file),
                Some(other) if other.identity() == file.identity() => {}
                Some(other) => {
                    return Err(Failure::unsupported(format!(
                        "{what} {} not found, but two files of its name: found {} and {}, expected one",
                        missing.display(),
                        other.path().display(),
                        file.path().display()
                    )));
                }
            }
        }
        match found {
            Some(file) => Ok(Found { file, moved: true }),
            None => Err(Failure::system(format!(
                "{what} {} not found, nor a file of its name{}",
                missing.display(),
                within(&directories)
            ))),
        }
    }

    /// Where files that `by` names may be that are not where it says.
    fn directories_for(&self, by: &ImageFile) -> Vec<PathBuf> {
        self.directory_of(by).into_iter().chain(self.search_paths.clone()).collect()
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
        let advice = || format!("--search-path {} would allow it", shell_word(directory));
        let allowed = below_search_path || beside_image;
        // A symbolic link that leads nowhere is there. Nothing else is done with a file that lies outside: advice to allow a
        // directory would be wrong where there is no such file.
        match std::fs::symlink_metadata(candidate) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) if allowed => return Err(Failure::io(candidate, "cannot open", &error)),
            Err(error) => {
                return Err(Failure::unsupported(format!(
                    "{what} {} lies outside the directory of the image, and cannot be looked at: {error}",
                    candidate.display()
                )));
            }
            Ok(_) if allowed => {}
            Ok(_) => {
                return Err(Failure::unsupported(format!(
                    "{what} {} lies outside the directory of the image: {}",
                    candidate.display(),
                    advice()
                )));
            }
        }
        match std::fs::metadata(candidate).map(|found| check_kind(candidate, &found)) {
            Ok(Err(failure)) if failure.status() == Status::Usage => {
                return Err(Failure::unsupported(format!("{what} {failure}")));
            }
            _ => {}
        }
        let file = ImageFile::open(candidate)?;
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
