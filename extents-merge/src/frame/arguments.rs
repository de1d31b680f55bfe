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

/// The value of an option that other programs have: there is none, as [`no_output`] refuses every one.
#[derive(Clone, Debug)]
pub enum NoOutput {}

/// Refuses `-o FILE`, with the sentence where the output of `program`, an archive, goes: for `value_parser`.
pub fn no_output(program: &'static str) -> impl Fn(&str) -> Result<NoOutput, String> + Clone {
    move |_| Err(format!("the archive goes to standard output: {program} ... > FILE"))
}
