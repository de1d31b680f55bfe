//! The disks of an archive for scripts: a JSON object each, on a line of its own.

use extents::failure::Failure;
use serde::Serialize;

use crate::unpack::report::DiskReport;
use crate::unpack::table::checksums;

#[derive(Serialize)]
struct Line<'a> {
    /// The directory of the disk in the archive.
    r#ref: &'a str,
    /// Bytes.
    virtual_size: u64,
    /// Those that hold bytes.
    blocks: u64,
    /// Bytes in them.
    bytes: u64,
    /// How they are checked, `none` if they are not, joined by `+` if it is more than one way; null without blocks.
    checksum: Option<String>,
}

/// The lines, each with its newline.
pub fn listing(disks: &[DiskReport]) -> Result<String, Failure> {
    let mut text = String::new();
    for disk in disks {
        let &DiskReport { ref prefix, size, blocks, bytes, .. } = disk;
        let line = Line { r#ref: prefix, virtual_size: size, blocks, bytes, checksum: checksums(disk) };
        let line = serde_json::to_string(&line);
        text += &line.map_err(|error| Failure::system(format!("cannot write a disk: {error}")))?;
        text.push('\n');
    }
    Ok(text)
}
