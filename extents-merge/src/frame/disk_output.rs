//! How a header tool ends: the extents of its chain, printed to standard output.

use crate::document::map::file_state::FileState;
use crate::document::map::writer::MapFile;
use crate::document::print::{Form, Printer};
use crate::extent::Extent;
use crate::failure::Failure;
use crate::frame::streams;
use crate::image::file::ImageFile;
use crate::image::holes::{HOLE_BITS, SkipHoles};
use crate::image::identity::{Identity, State};

/// A disk, as far as its extents do not say it.
#[derive(Debug)]
pub struct DiskOutput<'a> {
    /// Bytes that the guest sees.
    pub virtual_size: u64,
    /// log2 of the unit of intervals and lists; without holes it is at most that of holes.
    pub cluster_bits: u32,
    /// For each layer the file that its data lies in; only a map, and what skips holes, needs them.
    pub files: Vec<&'a ImageFile>,
}

impl DiskOutput<'_> {
    /// Prints `extents`, which cover the virtual size, as `form`; with `skip_holes` what lies in holes of the files is
    /// zero. After a failure the output is incomplete.
    ///
    /// A map is bound to the state in which the files were opened. That they still are in it is for its reader to see.
    pub fn print(
        self,
        form: Form,
        skip_holes: bool,
        extents: impl Iterator<Item = Result<Extent, Failure>>,
    ) -> Result<(), Failure> {
        let cluster_bits = if skip_holes { self.cluster_bits.min(HOLE_BITS) } else { self.cluster_bits };
        let files = self.files.iter().map(|file| map_file(file)).collect();
        let printer = Printer { form, virtual_size: self.virtual_size, cluster_bits, files };
        let out = streams::stdout()?;
        if skip_holes {
            printer.print(SkipHoles::new(extents, self.files), out)
        } else {
            printer.print(extents, out)
        }
    }
}

/// What a map says of `file` beside the offsets in it.
pub fn map_file(file: &ImageFile) -> MapFile {
    MapFile { name: file.path().to_path_buf(), state: file_state(&file.state()) }
}

/// What a map says of a file in `state`.
pub fn file_state(state: &State) -> FileState {
    let State { identity, size, modified, changed } = *state;
    match identity {
        Identity::File { device, inode } => FileState::File { size, device, inode, modified, changed },
        Identity::Device(_) => FileState::Device { size },
    }
}
