//! To the one disk that is wanted, past the frames of the others, where the archive is a file of frames.
//!
//! Of every frame the headers are read, and the name of the block that it begins with. Only where all of them are as `xva-zstd`
//! writes them, one block with its checksum each, in the order of the disks and of their numbers, and where the seek table lists
//! just these frames, is anything left out: a frame that stands elsewhere, or is gone, is found by reading the archive from its
//! beginning as any other. What follows the block inside a frame of another disk is taken for its checksum, by its length.

use extents::failure::Failure;

use crate::unpack::walk::state::Walk;
use crate::xva::member_name::{MemberKind, member_kind};
use crate::xva::tar_header;
use crate::xva::tar_member::{RECORD, TRAILER, padding};
use crate::zstd::frame_walk::FrameAt;
use crate::zstd::seek_table::{MAGIC, TableCheck};

/// A frame, and the byte of the archive at which its content begins.
type Placed = (FrameAt, u64);

/// What the frames say of the disks.
struct Survey {
    /// The names of the disks before the one that is wanted.
    before: Vec<String>,
    /// Bytes of the first block of all.
    block_length: u64,
    /// Where the wanted disk begins.
    first: Placed,
}

/// The block that a frame begins with.
#[derive(Clone, Copy)]
struct Begins {
    /// Which of the disks it belongs to, in the order in which they come.
    disk: usize,
    /// The number of the block.
    number: u64,
    /// Bytes of its data.
    size: u64,
}

impl Walk<'_> {
    /// Goes to the first block of the disk that is wanted, if those before it can be left out.
    pub(crate) fn jump(&mut self) {
        let Some(Survey { before, block_length, first: (frame, position) }) = self.survey() else { return };
        if !before.is_empty() {
            if self.members.input.go_to(frame, position).is_err() {
                return;
            }
            self.block_length = Some(block_length);
        }
        self.by_frames = true;
        self.ended.extend(before);
    }

    /// Looks at every frame; none where one is not as it should be.
    fn survey(&self) -> Option<Survey> {
        let only = self.options.only.as_ref()?;
        let streamed = self.ova.as_ref()?.streamed().filter(|disk| disk.virtual_size > 0);
        let mut disks: Vec<String> = streamed.map(|disk| disk.prefix.clone()).collect();
        let wanted = disks.iter().position(|disk| disk == only)?;
        let mut frames = self.members.input.frames()?;
        let mut check = TableCheck::new();
        let (mut position, mut metadata_seen) = (0_u64, false);
        let (mut last, mut ended): (Option<Begins>, bool) = (None, false);
        let (mut block_length, mut first) = (None, None);
        let mut next = frames.next_frame().ok()?;
        while let Some(frame) = next {
            next = frames.next_frame().ok()?;
            if frame.content == 0 {
                // Only the table may stand between frames, and only at the end.
                return (next.is_none() && ended && self.lists(frame, &mut check).ok()?).then(|| {
                    disks.truncate(wanted);
                    Some(Survey { before: disks, block_length: block_length?, first: first? })
                })?;
            }
            check.frame(next?.offset - frame.offset, frame.content);
            if ended {
                return None;
            }
            if metadata_seen {
                match self.begins(&disks, frame) {
                    // The end-of-tar, and nothing after it.
                    None if frame.content == TRAILER.len() as u64 && next?.content == 0 => ended = true,
                    None => return None,
                    Some(block) => {
                        let goes_on = match last {
                            None => block.disk == 0 && block.number == 0,
                            Some(last) if last.disk == block.disk => last.number < block.number,
                            Some(last) => last.disk + 1 == block.disk && block.number == 0,
                        };
                        let length = 3 * RECORD as u64 + block.size + padding(block.size) as u64;
                        if !goes_on || frame.content != length {
                            return None;
                        }
                        block_length.get_or_insert(block.size);
                        if block.disk == wanted {
                            first.get_or_insert((frame, position));
                        }
                        last = Some(block);
                    }
                }
            }
            metadata_seen = true;
            position = position.checked_add(frame.content)?;
        }
        None
    }

    /// Whether the skippable frame holds a seek table that lists the frames of `check`.
    fn lists(&self, frame: FrameAt, check: &mut TableCheck) -> Result<bool, Failure> {
        let mut head = [0; 8];
        self.members.input.read_at(&mut head, frame.offset)?;
        let [a, b, c, d, length @ ..] = head;
        if [a, b, c, d] != MAGIC {
            return Ok(false);
        }
        let mut offset = frame.offset + head.len() as u64;
        let differs = check.compare(u64::from(u32::from_le_bytes(length)), |into| {
            let read = self.members.input.read_at(into, offset);
            offset += into.len() as u64;
            read
        })?;
        Ok(differs.is_none())
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
