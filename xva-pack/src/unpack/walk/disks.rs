//! The disks of an archive: in which order they come, where each begins and ends, and which are missing.

use extents::failure::Failure;

use crate::ova::disk::Disk;
use crate::ova::metadata::Ova;
use crate::unpack::disk_state::DiskState;
use crate::unpack::finding::{Severity, Stop};
use crate::unpack::member::Member;
use crate::unpack::walk::state::Walk;

/// Disks of an archive without metadata, whose names are all that bounds them.
const MAX_DISKS: usize = 4096;

impl Walk<'_> {
    /// The disk whose blocks the importer waits for, apart from the one at hand.
    pub(crate) fn expected_next(&self) -> Option<&Disk> {
        let current = self.current.as_ref().map(|disk| disk.prefix.as_str());
        let is_due = |disk: &&Disk| {
            disk.virtual_size > 0 && !self.ended.contains(&disk.prefix) && current != Some(&disk.prefix)
        };
        self.ova.as_ref()?.streamed().find(is_due)
    }

    /// Whether `prefix` is the directory of a disk.
    pub(crate) fn is_disk(&self, prefix: &str) -> bool {
        self.current.as_ref().is_some_and(|disk| disk.prefix == prefix)
            || self.ended.contains(prefix)
            || self.ova.as_ref().is_some_and(|ova| ova.disks.iter().any(|disk| disk.prefix == prefix))
    }

    /// Whether the metadata has no disk `prefix`: what stands under that name may be of a disk that it has.
    pub(crate) fn is_unknown(&self, prefix: &str) -> bool {
        self.ova.as_ref().is_some_and(|ova| ova.disks.iter().all(|disk| disk.prefix != prefix))
    }

    /// Begins the disk to which the block `member` belongs.
    pub(crate) fn begin_disk(&mut self, prefix: &str, member: &Member) -> Result<DiskState, Stop> {
        if self.ended.len() >= MAX_DISKS && self.ova.is_none() {
            let what = format!("holds too many disks: expected at most {MAX_DISKS}");
            return Err(Stop::Refused(Failure::unsupported(what)));
        }
        let known = self.ova.iter().flat_map(|ova| &ova.disks).find(|disk| disk.prefix == prefix);
        let refused = |what: String| Some((Severity::Refused, what));
        let out_of_order = match (&self.ova, self.expected_next(), known) {
            (None, ..) => self.ended.last().filter(|last| prefix < last.as_str()).and_then(|last| {
                refused(format!("the disk comes after {last}: expected disks in byte order of their names"))
            }),
            (_, Some(next), _) if next.prefix == prefix => None,
            (_, Some(next), Some(disk)) if disk.streamed => {
                refused(format!("found a block of another disk, expected one of {}", next.prefix))
            }
            (_, _, Some(_)) => refused("ova.xml has this disk, but expects no blocks of it".to_owned()),
            (_, _, None) => Some((Severity::Damaged, "ova.xml has no such disk".to_owned())),
        };
        let expected = known.map(|disk| disk.virtual_size);
        let name = known.map(|disk| disk.name.clone()).unwrap_or_default();
        if let Some((severity, what)) = out_of_order {
            self.findings.raise(member.finding(severity, what))?;
        }
        self.open_disk(prefix, &name, expected)
    }

    fn open_disk(&mut self, prefix: &str, name: &str, expected: Option<u64>) -> Result<DiskState, Stop> {
        let cut = self.options.size_of(prefix);
        if let (Some(cut), Some(expected)) = (cut, expected) {
            check_cut(prefix, cut, expected)?;
        }
        let wanted = self.sink.wants(prefix);
        if wanted {
            self.sink.begin(prefix, cut.or(expected))?;
        }
        Ok(DiskState::new(prefix, name, expected, cut, wanted))
    }

    /// Ends the disk at hand, if there is one, because another begins or nothing follows.
    pub(crate) fn end_disk(&mut self) -> Result<(), Stop> {
        let Some(mut disk) = self.current.take() else { return Ok(()) };
        if let Some(expected) = disk.expected.filter(|expected| disk.placement.end() < *expected) {
            disk.damaged = true;
            let end = disk.placement.end();
            let what = format!("disk {} ends early: found {end} bytes, expected {expected}", disk.prefix);
            if let Err(finding) = self.raise_here(Severity::Damaged, what) {
                self.current = Some(disk);
                return Err(finding.into());
            }
        }
        let without = disk.without_checksum();
        if without > 0 && !disk.algorithms.is_empty() && self.is_wanted(&disk.prefix) {
            // Whoever wrote the others wrote one for each: what stood between two blocks was lost, and parts of them, too.
            disk.damaged = true;
            let what = format!(
                "disk {}: found {without} blocks without a checksum, and others with one",
                disk.prefix
            );
            self.raise_here(Severity::LeftOut, what)?;
        }
        if self.options.only.as_ref() == Some(&disk.prefix) {
            self.ended.insert(disk.prefix.clone());
            self.held = Some(disk);
            return Ok(());
        }
        self.close_disk(disk)
    }

    /// Takes note that the disk `prefix`, which may have ended, is not whole.
    pub(crate) fn spoil(&mut self, prefix: &str) {
        for disk in [&mut self.current, &mut self.held].into_iter().flatten() {
            disk.damaged |= disk.prefix == prefix;
        }
        for report in &mut self.reports {
            report.whole &= report.prefix != prefix;
        }
    }

    /// Takes a disk as it is, of which nothing more comes.
    pub(crate) fn close_disk(&mut self, mut disk: DiskState) -> Result<(), Stop> {
        if let Some(cut) = disk.cut.filter(|_| !disk.damaged) {
            check_cut(&disk.prefix, cut, disk.size())?;
        }
        if disk.wanted {
            self.sink.end(disk.written_size(), !disk.damaged)?;
        }
        self.guest_bytes = self.guest_bytes.saturating_add(disk.size());
        self.reports.push(disk.report(self.block_length));
        self.ended.insert(disk.prefix);
        Ok(())
    }

    /// Disks that are announced and of which no block came. One of no bytes has none.
    pub(crate) fn look_for_missing_disks(&mut self) -> Result<(), Stop> {
        if self.options.only.as_ref().is_some_and(|only| self.ended.contains(only)) {
            return Ok(());
        }
        let missing = |disk: &&Disk| !self.ended.contains(&disk.prefix);
        let missing: Vec<_> = self.ova.iter().flat_map(Ova::streamed).filter(missing).cloned().collect();
        for disk in missing {
            if disk.virtual_size > 0 {
                let early = if self.members.trailer_seen { "" } else { "ends early: " };
                let what = format!("{early}disk {} has no block", disk.prefix);
                self.raise_here(Severity::Damaged, what)?;
            } else {
                let disk = self.open_disk(&disk.prefix, &disk.name, Some(0))?;
                self.close_disk(disk)?;
            }
        }
        Ok(())
    }
}

/// Refuses a `--size` that is larger than the disk.
fn check_cut(prefix: &str, cut: u64, size: u64) -> Result<(), Stop> {
    if cut > size {
        return Err(Stop::Refused(Failure::damaged(format!(
            "disk {prefix} is smaller than --size says: found {size} bytes, expected at least {cut}"
        ))));
    }
    Ok(())
}
