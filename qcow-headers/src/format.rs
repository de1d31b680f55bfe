//! The format of a backing file. It is never guessed: a guest can write a QCOW2 header into a raw image, which names any
//! file of the host.

/// Format of a backing file.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// QCOW2 with its own backing file
    Qcow2,
    /// The bytes that the guest sees
    Raw,
}
