//! One layer over another: what the upper one does not have is looked up in the lower one. A chain is no union: where an
//! upper layer says zero, what lies below it is hidden.

use crate::extent::walk::{Checked, Extents, Walk};
use crate::extent::{Content, Extent};
use crate::failure::Failure;

/// The walk over a whole chain, whose `layers` come with the top one first. Without any there are no extents.
pub fn stack(layers: Vec<Extents<'_>>) -> Extents<'_> {
    let laid_over = |below, above| Box::new(Overlay::new(above, below)) as Extents<'_>;
    let nothing = || Box::new(Checked::new(std::iter::empty(), || Ok(()))) as Extents<'_>;
    layers.into_iter().rev().reduce(laid_over).unwrap_or_else(nothing)
}

/// The extents of the upper layer, and those of the lower one where the upper one has none.
///
/// It has the size of the upper layer. Where the lower one is shorter, the extent stays absent.
pub(crate) struct Overlay<'a> {
    above: Extents<'a>,
    below: Extents<'a>,
    /// The part of the upper extent that is absent and not yet looked up.
    absent: Option<Extent>,
    /// The lower extent that was read last.
    lower: Option<Extent>,
    /// Guest offset from which on it is looked below.
    needed_from: u64,
}

impl<'a> Overlay<'a> {
    /// Lays `above` over `below`.
    pub(crate) fn new(above: Extents<'a>, below: Extents<'a>) -> Self {
        Overlay { above, below, absent: None, lower: None, needed_from: 0 }
    }

    /// The beginning of `absent` as the lower layer has it; keeps the rest for the next call.
    fn look_below(&mut self, absent: Extent) -> Result<Extent, Failure> {
        let lower = loop {
            match self.lower {
                Some(lower) if lower.end() > absent.start => break lower,
                _ => {
                    self.below.skip_to(absent.start);
                    match self.below.next() {
                        Some(lower) => self.lower = Some(lower?),
                        None => return Ok(absent),
                    }
                }
            }
        };
        let mut found = lower.without_front(absent.start.saturating_sub(lower.start));
        found.length = found.length.min(absent.end() - found.start);
        if found.length < absent.length {
            self.absent = Some(absent.without_front(found.length));
        }
        Ok(found)
    }
}

impl Iterator for Overlay<'_> {
    type Item = Result<Extent, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let extent = match self.absent.take() {
                Some(absent) => absent,
                None => match self.above.next()? {
                    Ok(extent) if extent.content == Content::Absent => extent,
                    decided => return Some(decided),
                },
            };
            if extent.end() > self.needed_from {
                let unneeded = self.needed_from.saturating_sub(extent.start);
                return Some(self.look_below(extent.without_front(unneeded)));
            }
        }
    }
}

impl Walk for Overlay<'_> {
    /// Every layer counts: a commit moves clusters down and then empties the upper layer, and a walk that reads the one
    /// layer before and the other after describes a disk that never existed.
    fn look_again(&mut self) -> Result<(), Failure> {
        self.above.look_again()?;
        self.below.look_again()
    }

    /// The lower layer follows when it is asked the next time.
    fn skip_to(&mut self, offset: u64) {
        self.needed_from = offset;
        self.above.skip_to(offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::Content;
    use crate::extent::stored::{CompressedCluster, Compression, Stored};

    fn extent(start: u64, length: u64, layer: u16, content: Content) -> Extent {
        Extent { start, length, layer, content }
    }

    fn layer(extents: &[Extent]) -> Extents<'_> {
        Box::new(Checked::new(extents.iter().copied().map(Ok), || Ok(())))
    }

    fn overlay(above: &[Extent], below: &[Extent]) -> Vec<Extent> {
        Overlay::new(layer(above), layer(below)).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn upper_zero_hides_what_lies_below() {
        let above = [extent(0, 10, 0, Content::Zero), extent(10, 10, 0, Content::Absent)];
        let below = [extent(0, 20, 1, Content::at(100))];
        assert_eq!(
            overlay(&above, &below),
            [extent(0, 10, 0, Content::Zero), extent(10, 10, 1, Content::at(110))]
        );
    }

    /// Counts the extents that it was asked for, and leaves out what nobody needs.
    struct Sparing<'a> {
        extents: &'a [Extent],
        asked: &'a std::cell::Cell<usize>,
    }

    impl Iterator for Sparing<'_> {
        type Item = Result<Extent, Failure>;

        fn next(&mut self) -> Option<Self::Item> {
            let (first, rest) = self.extents.split_first()?;
            self.extents = rest;
            self.asked.set(self.asked.get() + 1);
            Some(Ok(*first))
        }
    }

    impl Walk for Sparing<'_> {
        fn look_again(&mut self) -> Result<(), Failure> {
            Ok(())
        }

        fn skip_to(&mut self, offset: u64) {
            let hidden = self.extents.iter().take_while(|extent| extent.end() <= offset).count();
            self.extents = &self.extents[hidden..];
        }
    }

    #[test]
    fn what_is_hidden_is_not_asked_for() {
        let data =
            |layer| -> Vec<_> { (0..100).map(|n| extent(n * 10, 10, layer, Content::at(n * 20))).collect() };
        let (middle, bottom) = (data(1), data(2));
        let mut middle = middle;
        middle[70].content = Content::Absent;
        let above = [extent(0, 695, 0, Content::Zero), extent(695, 305, 0, Content::Absent)];
        let (asked_middle, asked_bottom) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let layers: Vec<Extents<'_>> = vec![
            layer(&above),
            Box::new(Sparing { extents: &middle, asked: &asked_middle }),
            Box::new(Sparing { extents: &bottom, asked: &asked_bottom }),
        ];
        let found: Vec<_> = stack(layers).collect::<Result<_, _>>().unwrap();
        let plain = vec![layer(&above), layer(&middle), layer(&bottom)];
        assert_eq!(found, stack(plain).collect::<Result<Vec<_>, _>>().unwrap());
        assert_eq!((asked_middle.get(), asked_bottom.get()), (31, 1));
    }

    #[test]
    fn past_the_end_of_a_shorter_lower_layer_nothing_is_known() {
        let above = [extent(0, 30, 0, Content::Absent)];
        let below = [extent(0, 5, 1, Content::Zero), extent(5, 5, 1, Content::at(7))];
        assert_eq!(
            overlay(&above, &below),
            [
                extent(0, 5, 1, Content::Zero),
                extent(5, 5, 1, Content::at(7)),
                extent(10, 20, 0, Content::Absent)
            ]
        );
    }

    #[test]
    fn a_part_of_a_compressed_cluster_says_where_it_begins() {
        let cluster = CompressedCluster {
            offset: 9,
            host_length: 512,
            cluster_size: 64,
            skip: 0,
            compression: Compression::Zlib,
        };
        let above = [extent(0, 16, 0, Content::at(0)), extent(16, 8, 0, Content::Absent)];
        let below = [extent(0, 64, 1, Content::Data(Stored::Compressed(cluster)))];
        let shown = Content::Data(Stored::Compressed(CompressedCluster { skip: 16, ..cluster }));
        assert_eq!(overlay(&above, &below)[1], extent(16, 8, 1, shown));
    }
}
