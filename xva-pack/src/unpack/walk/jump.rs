//! To the one disk that is wanted, past the frames of those before it, where the archive is a file of frames.
//!
//! Frames are found by the headers of their blocks, from the first one on, and not by the seek table: a table that lies leads
//! nowhere. Where anything is not as `xva-zstd` writes it, the archive is read from its beginning as any other.

use crate::unpack::walk::state::Walk;
use crate::xva::member_name::{MemberKind, member_kind};
use crate::xva::tar_header;
use crate::xva::tar_member::RECORD;
use crate::zstd::frame_walk::FrameAt;

/// Frames of which one is looked into.
const STRIDE: usize = 64;

/// A frame, and the byte of the archive at which its content begins.
type Placed = (FrameAt, u64);

/// The block that a frame begins with.
struct Begins {
    /// Which of the disks it belongs to, in the order in which they come.
    disk: usize,
    /// The number of the block.
    number: u64,
    /// Bytes of its data.
    size: u64,
}

impl Walk<'_> {
    /// Goes to the first block of the disk that is wanted, if that can be found without reading those before it.
    pub(crate) fn jump(&mut self) {
        self.by_frames = self.is_by_frames().unwrap_or_default();
        let Some((disks, block_length, (frame, position))) = self.find_disk() else { return };
        if self.members.input.go_to(frame, position).is_err() {
            return;
        }
        self.block_length = Some(block_length);
        self.ended.extend(disks);
    }

    /// Whether the first block of the first disk begins a frame, as in what `xva-zstd` writes.
    fn is_by_frames(&self) -> Option<bool> {
        let first = self.ova.as_ref()?.streamed().find(|disk| disk.virtual_size > 0)?.prefix.clone();
        let mut frames = self.members.input.frames()?;
        let mut content =
            std::iter::from_fn(|| frames.next_frame().ok().flatten()).filter(|frame| frame.content > 0);
        let frame = content.nth(1)?;
        Some(self.begins(&[first], frame).is_some_and(|block| block.number == 0))
    }

    /// The names of the disks before the one that is wanted, the length of the first block of all, and the frame in which
    /// the disk begins.
    fn find_disk(&self) -> Option<(Vec<String>, u64, Placed)> {
        let only = self.options.only.as_ref()?;
        let streamed = self.ova.as_ref()?.streamed().filter(|disk| disk.virtual_size > 0);
        let mut disks: Vec<String> = streamed.map(|disk| disk.prefix.clone()).collect();
        let wanted = disks.iter().position(|disk| disk == only).filter(|at| *at > 0)?;
        let mut frames = self.members.input.frames()?;
        let mut position = 0;
        let mut block_length = None;
        let mut before: Vec<Placed> = Vec::new();
        loop {
            let next = frames.next_frame().ok()?;
            let more = next.is_some();
            if let Some(frame) = next.filter(|frame| frame.content > 0) {
                before.push((frame, position));
                position = position.checked_add(frame.content)?;
            }
            // The first frame is that of the metadata, the second one that of the first block.
            if block_length.is_none() && before.len() == 2 {
                let first = self.begins(&disks, before[1].0).filter(|first| first.disk == 0)?;
                block_length = Some(first.size);
                before.clear();
            }
            let is_before =
                |frame: &Placed| self.begins(&disks, frame.0).is_some_and(|found| found.disk < wanted);
            if before.len() == STRIDE && before.last().is_some_and(is_before) {
                before.clear();
            }
            if before.len() == STRIDE || !more {
                let first = *before.get(before.partition_point(is_before))?;
                let found = self.begins(&disks, first.0)?;
                // A disk that begins later than at its first block would be one that was cut in two.
                if found.disk != wanted || found.number != 0 {
                    return None;
                }
                disks.truncate(wanted);
                return Some((disks, block_length?, first));
            }
        }
    }

    /// The block that the content of `frame` begins with, if it is one of these disks.
    fn begins(&self, disks: &[String], frame: FrameAt) -> Option<Begins> {
        let mut record = [0; RECORD];
        self.members.input.peek(frame, &mut record).ok()?;
        let header = tar_header::parse(&record).ok()?;
        let name = String::from_utf8(header.name).ok()?;
        let MemberKind::Block(prefix, digits) = member_kind(&name) else { return None };
        if !matches!(header.type_flag, 0 | b'0') {
            return None;
        }
        let disk = disks.iter().position(|disk| disk == prefix)?;
        Some(Begins { disk, number: digits.parse().ok()?, size: header.size })
    }
}
