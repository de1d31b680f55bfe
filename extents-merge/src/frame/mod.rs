//! What every `main` stands in: its [arguments], its [messages], the
//! [standard streams](streams), and the exit status that it [ends](program) with.

pub mod arguments;
pub mod input;
pub mod messages;
pub mod program;
pub mod streams;
