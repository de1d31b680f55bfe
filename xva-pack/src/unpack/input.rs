//! The bytes of an archive from a file or a pipe, in one direction, with their position. What is compressed with zstd or gzip
//! is read as if it were not.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;

use extents::failure::{Failure, Status};
use extents::frame::input::InputName;
use extents::frame::streams::Waiting;
use extents::image::changed::{changed, changed_rather_than};
use extents::image::file::ImageFile;
use extents::image::identity::State;

use crate::host::page_cache;
use crate::host::pipe;
use crate::unpack::window::Window;
use crate::zstd::expand::{Expanded, Format};

mod reading;

/// How the bytes of an archive come.
#[derive(Debug)]
enum Form {
    /// As they are, from what can seek.
    File(Window),
    /// As they are, from anything else. So many were read to see that, of which the first were given out.
    Pipe { ahead: Vec<u8>, given: usize },
    /// Compressed.
    Expanded(Format, Box<Expanded>),
}

/// An archive being read.
#[derive(Debug)]
pub struct Input {
    file: Waiting<File>,
    name: InputName,
    /// Offset in the file at which reading began; 0 for what cannot seek.
    begun: u64,
    /// Bytes of the archive, not as it is compressed.
    position: u64,
    /// Bytes from where reading began to the end, of a regular file or block device; as it is compressed.
    file_size: Option<u64>,
    form: Form,
    /// In which state the file was opened.
    state: State,
}

impl Input {
    /// Opens what the user named.
    pub fn open(name: &InputName) -> Result<Self, Failure> {
        let file = name.open("an archive")?;
        let metadata = file.0.metadata().map_err(|e| Failure::io(name.name(), "cannot stat", &e))?;
        // Measured, 1 GiB through `cat` into --verify: 0.40 s instead of 0.48.
        pipe::enlarge(&file);
        let (mut begun, mut file_size) = (0, None);
        if metadata.is_file() || metadata.file_type().is_block_device() {
            let bounds = bounds(&file.0).map_err(|e| Failure::io(name.name(), "cannot seek", &e))?;
            begun = bounds.0;
            file_size = Some(bounds.1.saturating_sub(begun));
        }
        Input::new(file, name, begun, file_size, State::of(&metadata))
    }

    /// The archive in `image`, from its beginning; `name` is what the user called it.
    pub fn of_image(image: &ImageFile, name: &InputName) -> Result<Self, Failure> {
        let of = |what| move |error| Failure::io(image.path(), what, &error);
        let file = image.as_file().try_clone().map_err(of("cannot open again"))?;
        let state = State::of(&file.metadata().map_err(of("cannot stat"))?);
        Input::new(Waiting(file), name, 0, Some(image.size()), state)
    }

    fn new(
        file: Waiting<File>,
        name: &InputName,
        begun: u64,
        file_size: Option<u64>,
        state: State,
    ) -> Result<Self, Failure> {
        let form = Form::File(Window::default());
        let mut input = Input { file, name: name.clone(), begun, position: 0, file_size, form, state };
        input.form = input.look()?;
        Ok(input)
    }

    /// An archive of which headers are read, and little else: nothing is read ahead of them.
    #[must_use]
    pub fn by_headers(self) -> Self {
        if matches!(self.form, Form::File(_)) {
            page_cache::is_read_at_random(&self.file.0);
        }
        self
    }

    /// Whether the file has changed since it was opened. What cannot seek only goes on.
    pub(crate) fn has_changed(&self) -> bool {
        self.file_size.is_some() && !self.file.0.metadata().is_ok_and(|now| State::of(&now) == self.state)
    }

    /// Fails with status 1 if the file is shorter than it was when it was opened: what was left out may not be there.
    pub(crate) fn check_not_shorter(&self) -> Result<(), Failure> {
        let now = self.file.0.metadata().map_err(|e| Failure::io(self.name.name(), "cannot stat", &e))?;
        if self.file_size.is_none() || now.len() >= self.state.size {
            return Ok(());
        }
        let what = format!("found {} bytes, expected {}", now.len(), self.state.size);
        Err(changed(self.name.name(), &what))
    }

    /// What a `failure` to read it is: what looks like damage in a file that has changed is a change (status 1).
    pub(crate) fn judge(&self, failure: Failure) -> Failure {
        if failure.status() != Status::Damaged || !self.has_changed() {
            return failure;
        }
        changed_rather_than(&failure, self.name.name())
    }

    /// Status 2 for what cannot be passed over without reading it, status 4 for what must be decompressed for that.
    pub fn check_seekable(&self) -> Result<(), Failure> {
        if self.size().is_some() {
            return Ok(());
        }
        let refusal = if self.is_compressed() {
            Failure::unsupported(
                "is compressed, so that a part of it takes as long as all: expected a tar, or --verify",
            )
        } else {
            Failure::usage("is not seekable: expected a tar in a file or block device")
        };
        Err(refusal.in_file(self.name.name()))
    }

    /// What the user called it.
    pub(crate) fn name(&self) -> &InputName {
        &self.name
    }

    /// Bytes read or skipped so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes in all, if that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        self.file_size.filter(|_| matches!(self.form, Form::File(_)))
    }

    /// Whether few bytes that are read may stand for many.
    pub(crate) fn is_compressed(&self) -> bool {
        self.format().is_some()
    }

    /// Where its bytes come from, for a sentence about what they are; nothing if they are as they stand in the file.
    pub(crate) fn within(&self) -> &'static str {
        match self.format() {
            Some(Format::Gzip) => ", inside the gzip file",
            Some(Format::Zstd { .. }) => ", inside the zstd file",
            None => "",
        }
    }

    /// The command that decompresses what it is read from, if that is compressed.
    pub(crate) fn outer_reader(&self) -> Option<&'static str> {
        self.format().map(Format::reader)
    }

    /// How many bytes of a file were read, and of how many.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        let done = match &self.form {
            Form::Expanded(_, expanded) => expanded.compressed_position(),
            _ => self.position,
        };
        self.file_size.map(|size| (done, size))
    }

    /// Whether xapi would take what is compressed with zstd for gzip.
    pub(crate) fn looks_like_gzip(&self) -> bool {
        self.format() == Some(Format::Zstd { skippable_first: true })
    }

    /// How it is compressed.
    fn format(&self) -> Option<Format> {
        match self.form {
            Form::Expanded(format, _) => Some(format),
            Form::File(_) | Form::Pipe { .. } => None,
        }
    }
}

/// Where in a file or device reading begins, and where it ends. It may be passed as standard input when part of it was read
/// already.
fn bounds(mut file: &File) -> io::Result<(u64, u64)> {
    let begun = file.stream_position()?;
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(begun))?;
    Ok((begun, end))
}
