//! What every `main` stands in: the [program] from its command line to its exit status, its [arguments] and the [inputs](input)
//! that they name, [documents](document_input) among them, the [standard streams](streams), its [messages], and the
//! [output](disk_output) of a header tool.

pub mod arguments;
pub mod disk_output;
pub mod document_input;
pub mod input;
pub mod messages;
#[cfg(feature = "pages")]
pub(crate) mod pages;
pub mod program;
pub mod streams;
