//! Random chains from a seed: the same seed gives the same chain, whoever asks, so that a test, a fuzzer and a person
//! with a failure report see the same images.

use std::io;
use std::path::{Path, PathBuf};

use super::{Cluster, Image, SUBCLUSTERS, Subcluster, content};

/// Random numbers (`SplitMix64`, as published by Steele, Lea and Flood).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }

    /// Yes, once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or(0)]
    }

    /// Another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, usize::try_from(self.below(last as u64 + 1)).unwrap_or(0));
        }
    }
}

/// A chain of images, the uppermost first, perhaps with a raw file at its end.
#[derive(Clone, Debug)]
pub struct Chain {
    /// At least one.
    pub images: Vec<Image>,
    /// Name and content of the raw file.
    pub raw: Option<(String, Vec<u8>)>,
}

impl Chain {
    /// One to three images and sometimes a raw file, of other sizes and cluster sizes, up to 1 MiB or so.
    pub fn random(seed: u64) -> Self {
        Chain::random_up_to(seed, 1000)
    }

    /// The same with a disk of at most so many `sectors`.
    pub fn random_up_to(seed: u64, sectors: u64) -> Self {
        let mut dice = Dice::new(seed);
        let size = 512 * (1 + dice.below(sectors));
        let count = 1 + dice.below(3);
        let mut images: Vec<Image> = (0..count).map(|layer| image(&mut dice, layer, size)).collect();
        let raw = dice.one_in(3).then(|| {
            let mut bytes = vec![0; usize::try_from(other_size(&mut dice, size)).unwrap_or(0)];
            content::fill(&mut bytes, 0, 0x7F);
            ("base.raw".to_owned(), bytes)
        });
        let below: Vec<_> = images.iter().skip(1).map(|image| (image.name.clone(), "qcow2")).collect();
        let below = below.into_iter().chain(raw.iter().map(|(name, _)| (name.clone(), "raw")));
        for (image, (name, format)) in images.iter_mut().zip(below) {
            image.backing = Some((name, Some(format.to_owned())));
        }
        Chain { images, raw }
    }

    /// Writes all files into `directory`; gives the path of the uppermost image.
    pub fn write_to(&self, directory: &Path) -> io::Result<PathBuf> {
        if let Some((name, bytes)) = &self.raw {
            std::fs::write(directory.join(name), bytes)?;
        }
        for image in self.images.iter().skip(1) {
            image.write_to(directory)?;
        }
        self.images[0].write_to(directory)
    }

    /// What the guest of the uppermost image reads.
    pub fn truth(&self) -> Vec<u8> {
        let raw = self.raw.as_ref().map(|(_, bytes)| bytes.clone()).unwrap_or_default();
        self.images.iter().rev().fold(raw, |below, image| image.truth(&below))
    }
}

/// Now and then a layer is smaller or larger than the one above it.
fn other_size(dice: &mut Dice, size: u64) -> u64 {
    if dice.one_in(3) { 512 + dice.below(2 * size) } else { size }
}

fn image(dice: &mut Dice, layer: u64, size: u64) -> Image {
    let size = if layer == 0 { size } else { other_size(dice, size) };
    let mut image = Image::new(&format!("layer{layer}.qcow2"), size);
    image.mark = u8::try_from(layer).unwrap_or(0) + 1;
    image.version = dice.pick(&[2, 3, 3, 3]);
    let modern = image.version == 3;
    image.extended_l2 = modern && dice.one_in(3);
    image.zstd = modern && dice.one_in(2);
    image.cluster_bits =
        if image.extended_l2 { 14 + dice.below(3) } else { 9 + dice.pick(&[0, 1, 3, 5, 7, 9]) }
            .try_into()
            .unwrap_or(16);
    if modern && dice.one_in(6) {
        image.data_file = Some(format!("layer{layer}.data"));
    }
    image.snapshots = dice.pick(&[0, 0, 3_u32]);
    image.scatter = dice.pick(&[0, 1]) * dice.roll();
    // Neighbours are often alike, so that there are runs, some of whole tables.
    let run = dice.pick(&[3, 3, 100]);
    let mut state = None;
    let beyond = dice.pick(&[0, 0, 3]);
    for number in 0..image.cluster_count() + beyond {
        if dice.one_in(run) {
            state = cluster(dice, &image);
        }
        if let Some(state) = &state {
            image.set(number, state.clone());
        }
    }
    image
}

fn cluster(dice: &mut Dice, image: &Image) -> Option<Cluster> {
    let old = image.version == 2;
    match dice.below(6) {
        0 => None,
        1 if image.data_file.is_none() => Some(Cluster::Compressed),
        2 if !old => Some(Cluster::Zero),
        3 if !old => Some(Cluster::PreallocatedZero),
        4 if image.extended_l2 && dice.one_in(4) => Some(Cluster::Reserved),
        4 | 5 if image.extended_l2 => {
            let mut parts = [Subcluster::Absent; SUBCLUSTERS];
            let mut part = Subcluster::Stored;
            for place in &mut parts {
                if dice.one_in(4) {
                    part = dice.pick(&[Subcluster::Absent, Subcluster::Zero, Subcluster::Stored]);
                }
                *place = part;
            }
            Some(Cluster::Mixed(parts))
        }
        _ => Some(Cluster::Data),
    }
}
