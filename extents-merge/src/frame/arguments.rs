//! What programs have in common in their arguments, and what clap says of them, in one line.

use std::path::PathBuf;

use clap::error::ErrorKind;

use crate::failure::Failure;

/// `--search-path`, flattened into the arguments of the header tools.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SearchPaths {
    /// Directory in which the parents, backing or data files that an image names may lie, besides the directory of IMAGE
    /// (repeatable)
    #[arg(long = "search-path", value_name = "DIR")]
    pub directories: Vec<PathBuf>,
}

/// `--help` and `--version` are answers, on stdout; anything else that clap says becomes one line.
pub(crate) fn help_or_usage(error: &clap::Error) -> Result<(), Failure> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return error.print().map_err(|error| Failure::output(&error));
    }
    let text = error.to_string();
    let first: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let sentence = first.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    Err(Failure::usage(format!("{sentence}; see --help")))
}
