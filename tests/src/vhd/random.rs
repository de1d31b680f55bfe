//! Random chains from a seed: the same seed gives the same chain, whoever asks.

use super::{Chain, Disk, FooterCopy, Vhd, Write};
use crate::qcow2::Dice;

impl Chain {
    /// One to five images, all dynamic or differencing but the base, of other block sizes and sometimes other disk
    /// sizes, of at most so many `sectors`.
    pub fn random(seed: u64, sectors: u64) -> Self {
        let mut dice = Dice::new(seed);
        let size = 512 * (1 + dice.below(sectors)) - dice.pick(&[0, 0, 0, 100]);
        let mut images: Vec<Vhd> = Vec::new();
        for layer in 0..=dice.below(5) {
            let name = format!("layer{layer}.vhd");
            let image = match images.last() {
                Some(parent) => Vhd::child_of(parent, &name),
                None => base(&mut dice, &name, size),
            };
            images.push(vary(&mut dice, image, sectors));
        }
        if images.len() == 1 && images[0].disk == Disk::Raw {
            images[0].disk = Disk::Fixed;
        }
        Chain(images)
    }
}

fn base(dice: &mut Dice, name: &str, size: u64) -> Vhd {
    match dice.below(6) {
        0 => Vhd::raw(name, size),
        1 => Vhd::fixed(name, size),
        _ => Vhd::dynamic(name, size),
    }
}

/// The image with writes, and with all that may be otherwise in an image that works.
fn vary(dice: &mut Dice, mut image: Vhd, most: u64) -> Vhd {
    for _ in 0..dice.below(6) {
        let (sector, sectors) = (dice.below(most), 1 + dice.below(300));
        image.writes.push(Write { sector, sectors, zeros: dice.one_in(5) });
    }
    if !image.has_blocks() {
        return image;
    }
    if image.disk == Disk::Differencing && dice.one_in(4) {
        image.size = 512 * (1 + dice.below(most));
    }
    image.block_bits = dice.pick(&[9, 12, 14, 16, 21]);
    image.empty_blocks = (0..dice.below(3)).map(|_| dice.below(image.blocks())).collect();
    image.shuffle = dice.pick(&[0, 1]) * dice.roll();
    image.spare_entries = dice.pick(&[0, 7, 300]);
    image.gaps = [dice.below(3), dice.below(3), dice.below(3)];
    [image.table_last, image.batmap, image.stale] = [dice.one_in(4), dice.one_in(2), dice.one_in(2)];
    (image.head, image.tail) = dice.pick(&[
        (FooterCopy::Sound, FooterCopy::Sound),
        (FooterCopy::Sound, FooterCopy::Sound),
        (FooterCopy::Missing, FooterCopy::Sound),
        (FooterCopy::Damaged, FooterCopy::Sound),
        (FooterCopy::Sound, FooterCopy::Missing),
        (FooterCopy::Sound, FooterCopy::Damaged),
        (FooterCopy::Sound, FooterCopy::Short),
    ]);
    image
}
