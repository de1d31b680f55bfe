//! Whether a file is standard output: what else is written there would end up among the data, and what is read there may be
//! the data itself.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use extents::image::identity::Identity;

/// Whether this is the file, block device or pipe that standard output is. A terminal or /dev/null may be both.
pub fn is_stdout(identity: Identity) -> bool {
    let out = io::stdout().as_fd().try_clone_to_owned().map(File::from).and_then(|out| out.metadata());
    out.is_ok_and(|out| identity == Identity::of(&out) && !out.file_type().is_char_device())
}
