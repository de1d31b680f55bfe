//! From the places of blocks in a tar to the extents of their disk.

use extents::extent::{Content, Extent};

/// The only layer: an archive is no chain.
const LAYER: u16 = 0;

/// The extents of a disk whose blocks come in guest order.
#[derive(Clone, Copy, Debug)]
pub struct TarExtents {
    size: u64,
    /// Guest byte up to which the extents reach.
    end: u64,
}

impl TarExtents {
    /// Those of a disk of `size` bytes, of which no block came yet.
    pub fn new(size: u64) -> Self {
        TarExtents { size, end: 0 }
    }

    /// A block of `length` bytes that belongs at guest byte `offset`, and lies at byte `byte` of the archive: the gap before
    /// it, which is zero, and the block itself. What of it lies past the end of the disk is none of its bytes.
    pub fn block(&mut self, offset: u64, length: u64, byte: u64) -> impl Iterator<Item = Extent> + use<> {
        let gap = self.zeros_up_to(offset);
        let end = offset.saturating_add(length).min(self.size);
        let data = end.checked_sub(self.end.max(offset)).filter(|length| *length > 0).map(|length| {
            let start = end - length;
            let byte = byte.saturating_add(start - offset);
            Extent { start, length, layer: LAYER, content: Content::at(byte) }
        });
        self.end = self.end.max(end);
        gap.into_iter().chain(data)
    }

    /// What follows the last block.
    pub fn rest(&mut self) -> Option<Extent> {
        self.zeros_up_to(self.size)
    }

    fn zeros_up_to(&mut self, end: u64) -> Option<Extent> {
        let start = self.end;
        self.end = end.min(self.size).max(start);
        let length = self.end - start;
        (length > 0).then_some(Extent { start, length, layer: LAYER, content: Content::Zero })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(size: u64, blocks: &[(u64, u64, u64)]) -> Vec<(u64, u64, Option<u64>)> {
        let mut all = TarExtents::new(size);
        let mut found: Vec<Extent> = Vec::new();
        for &(offset, length, byte) in blocks {
            found.extend(all.block(offset, length, byte));
        }
        found.extend(all.rest());
        let place = |content| match content {
            Content::Data(stored) => Some(stored.file_range(1).0),
            _ => None,
        };
        found.iter().map(|extent| (extent.start, extent.length, place(extent.content))).collect()
    }

    #[test]
    fn gaps_are_zero_and_blocks_end_with_the_disk() {
        assert_eq!(
            extents(1000, &[(100, 100, 5000), (200, 0, 6000), (200, 100, 7000), (900, 200, 9000)]),
            [
                (0, 100, None),
                (100, 100, Some(5000)),
                (200, 100, Some(7000)),
                (300, 600, None),
                (900, 100, Some(9000))
            ]
        );
        assert_eq!(extents(1000, &[]), [(0, 1000, None)]);
        assert_eq!(extents(0, &[(0, 10, 512)]), []);
        assert_eq!(extents(10, &[(20, 10, 512)]), [(0, 10, None)]);
    }

    #[test]
    fn numbers_at_the_edge_of_64_bits_do_not_wrap_around() {
        let end = u64::MAX;
        assert_eq!(extents(end, &[(end - 1, end, end)]), [(0, end - 1, None), (end - 1, 1, Some(end))]);
    }
}
