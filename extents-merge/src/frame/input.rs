//! A file that the user names: the one place that knows that `-` is standard input.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use clap::builder::{MapValueParser, PathBufValueParser, TypedValueParser, ValueParserFactory};

use crate::document::print::Form;
use crate::failure::Failure;
use crate::frame::streams::{self, Waiting};
use crate::image::at_rest::at_rest;
use crate::image::file::ImageFile;
use crate::image::overwrite;

/// What standard input is called in messages.
const STDIN: &str = "standard input";

/// An argument that names an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputName {
    /// `-`
    Stdin,
    /// Anything else.
    File(PathBuf),
}

impl From<PathBuf> for InputName {
    fn from(name: PathBuf) -> Self {
        if name.as_os_str() == "-" { InputName::Stdin } else { InputName::File(name) }
    }
}

/// Parsed as a path is: an empty argument is wrong usage.
impl ValueParserFactory for InputName {
    type Parser = MapValueParser<PathBufValueParser, fn(PathBuf) -> Self>;

    fn value_parser() -> Self::Parser {
        PathBufValueParser::new().map(InputName::from)
    }
}

impl InputName {
    /// What it is called in messages.
    pub fn name(&self) -> &Path {
        self.path().unwrap_or(Path::new(STDIN))
    }

    /// Its path; none for standard input.
    pub fn path(&self) -> Option<&Path> {
        match self {
            InputName::Stdin => None,
            InputName::File(path) => Some(path),
        }
    }

    /// Opens it to be read from here on, for the `what` that is in it.
    ///
    /// Status 1 if it is not there, is a directory or cannot be opened, 2 if it is standard input and that is a terminal, or if
    /// the program [writes](overwrite) to it.
    pub fn open(&self, what: &str) -> Result<Waiting<File>, Failure> {
        let file = match self {
            InputName::Stdin => streams::stdin_with(what)?,
            InputName::File(path) => {
                File::open(path).map_err(|error| Failure::io(path, "cannot open", &error))?
            }
        };
        let found = file.metadata().map_err(|error| Failure::io(self.name(), "cannot stat", &error))?;
        if found.is_dir() {
            let sentence = format!("is a directory: expected a file with {what}");
            return Err(Failure::system(sentence).in_file(self.name()));
        }
        overwrite::reads(&found, self.name())?;
        Ok(Waiting(file))
    }

    /// Opens an image whose extents are to be printed as `form`: as [`InputName::open_image`]. A map is bound to the state of
    /// the image, which is then opened [at rest](crate::image::at_rest).
    ///
    /// Status 2 also for a map of standard input.
    pub fn open_image_for(&self, form: Form) -> Result<ImageFile, Failure> {
        if form == Form::Map && *self == InputName::Stdin {
            return Err(Failure::usage(
                "standard input has no name that a map could say: name the file instead",
            ));
        }
        let image = self.open_image()?;
        if form == Form::Map { at_rest(image) } else { Ok(image) }
    }

    /// Opens a disk or image, which is read at offsets: otherwise as [`ImageFile::open`].
    ///
    /// Status 2 for standard input of which a part was read by someone else: whoever did that did not mean the whole file.
    pub fn open_image(&self) -> Result<ImageFile, Failure> {
        let path = match self {
            InputName::Stdin => Path::new(STDIN),
            InputName::File(path) => return ImageFile::open(path),
        };
        let mut file = streams::stdin()?;
        match file.stream_position() {
            Ok(position) if position > 0 => {
                Err(Failure::usage(format!("is at byte {position}: expected it at its beginning"))
                    .in_file(path))
            }
            _ => ImageFile::new(file, path.to_path_buf()),
        }
    }
}
