//! A disk as the metadata announces it.

/// A VDI of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The id of its object: the directory of its blocks in the archive.
    pub prefix: String,
    /// Bytes that its blocks and the gaps between them must add up to.
    pub virtual_size: u64,
    /// `name_label`, for people.
    pub name: String,
    /// Whether its blocks are expected in the archive; otherwise it is created empty, and must have no blocks.
    pub streamed: bool,
}
