//! The copy: from the plan through the workers into the archive.

use std::io::Write;
use std::sync::Arc;

use extents::failure::Failure;

use crate::files::Files;
use crate::plan::Plan;
use crate::workers::{Sealing, Workers};
use crate::writer::{Counts, Writer};

/// How a disk is packed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How blocks become members.
    pub sealing: Sealing,
    /// Worker threads.
    pub jobs: usize,
    /// Other disks follow in the archive: no end-of-tar.
    pub others_follow: bool,
}

/// Writes all blocks of `plan` to `out`, and the end-of-tar if everything before it went well.
pub fn pack(
    plan: Box<dyn Plan>,
    files: &Arc<Files>,
    settings: &Settings,
    out: impl Write,
) -> Result<Counts, Failure> {
    let mut writer = Writer::new(out);
    let mut workers = Workers::start(plan, files, &settings.sealing, settings.jobs)?;
    while let Some(block) = workers.next_block()? {
        writer.put(&block)?;
        workers.give_back(block.memory);
    }
    files.check_unchanged()?;
    writer.finish(settings.others_follow)
}
