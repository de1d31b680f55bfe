//! What is said of an archive in the end.

use std::path::Path;

use extents::document::summary::{Count, Size};
use extents::failure::Failure;
use extents::frame::messages::Messages;
use xva_pack::unpack::report::{Archive, DiskReport};
use xva_pack::unpack::sample::Sample;
use xva_pack::unpack::task::Task;

/// The verdict on the archive `name`: a line, if there is one to say. Status 3 where `bad` findings make it unsound.
pub(crate) fn verdict(
    archive: &Archive,
    task: &Task,
    sample: Option<Sample>,
    bad: u64,
    name: &Path,
    messages: Messages,
) -> Result<String, Failure> {
    if bad > 0 {
        let what = format!("is damaged: found {}, named above", Count(bad, "fault"));
        return Err(Failure::damaged(what).in_file(name));
    }
    Ok(match (task, sample) {
        (Task::Verify, _) => sound(archive, name, messages),
        (Task::Sample, Some(sample)) => sampled(archive, sample, name),
        _ => String::new(),
    })
}

/// Of an archive of which some blocks were looked at.
fn sampled(archive: &Archive, sample: Sample, name: &Path) -> String {
    let count = |of: fn(&DiskReport) -> u64| archive.disks.iter().map(of).fold(0, u64::saturating_add);
    let (sampled, blocks) = (count(|disk| disk.sampled), count(|disk| disk.blocks));
    format!(
        "{}: sampled: no fault in the structure, and the checksums of {sampled} of {blocks} blocks are right; the same ones \
         again: --seed {}\n",
        name.display(),
        sample.seed()
    )
}

/// Of an archive that was looked at from end to end.
fn sound(archive: &Archive, name: &Path, messages: Messages) -> String {
    let (name, bytes, disks) = (name.display(), archive.bytes, Count(archive.disks.len() as u64, "disk"));
    if !archive.has_ova {
        messages.warn(format!(
            "{name}: has no ova.xml: xapi does not import it alone, and whether the last block of a disk is missing \
             cannot be known"
        ));
    }
    let readable = Size(bytes);
    format!("{name}: sound: {bytes} bytes ({readable}), {disks}, every checksum is right\n")
}
