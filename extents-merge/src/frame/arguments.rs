//! What programs have in common in their arguments.

use std::path::PathBuf;

/// `--search-path`, flattened into the arguments of the header tools.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SearchPaths {
    /// Directory in which the parents, backing or data files that an image names may lie, besides the directory of IMAGE
    /// (repeatable)
    #[arg(long = "search-path", value_name = "DIR")]
    pub directories: Vec<PathBuf>,
}
