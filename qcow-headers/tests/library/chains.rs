//! Random chains from the builder, read in this process: what the guest reads is known byte for byte, and no damage
//! may lead to anything but that or an error.

use std::path::Path;

use extents::failure::{Failure, Status};
use extents::image::holes::SkipHoles;
use image_builders::qcow2::{Chain, Dice};
use image_builders::walk::units;
use proptest::prelude::*;

use crate::guest::{extents, extents_without_holes, open, read};

/// Guest sectors that hold anything but zeros. The builder's data is nowhere zero, so these are the stored ones.
fn data_sectors(truth: &[u8]) -> Vec<bool> {
    truth.chunks(512).map(|sector| sector.iter().any(|byte| *byte != 0)).collect()
}

/// Everything that the program does with an image, without the printing.
fn answer(image: &Path) -> Result<Vec<u8>, Failure> {
    let chain = open(image)?;
    read(&chain)
}

/// A random chain as it was built, and as it is read; its files are there as long as the directory is kept.
fn random(seed: u64) -> (tempfile::TempDir, Chain, qcow_headers::chain::Chain) {
    let directory = tempfile::tempdir().unwrap();
    let built = Chain::random(seed);
    let chain = open(&built.write_to(directory.path()).unwrap()).unwrap();
    (directory, built, chain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_extents_lead_to_every_byte_that_the_guest_reads(seed in any::<u64>()) {
        let (_directory, built, chain) = random(seed);
        prop_assert!(read(&chain).unwrap() == built.truth(), "content differs");
    }

    #[test]
    fn exactly_the_stored_sectors_are_data(seed in any::<u64>()) {
        let (_directory, built, chain) = random(seed);
        let extents = extents(&chain).unwrap();
        prop_assert_eq!(units(&extents, 9), data_sectors(&built.truth()));
        prop_assert!(chain.layers().iter().all(|layer| layer.cluster_bits() >= chain.cluster_bits()));
    }

    #[test]
    fn holes_hide_no_data(seed in any::<u64>()) {
        let (_directory, built, chain) = random(seed);
        let extents = extents_without_holes(&chain).unwrap();
        let found = units(&extents, 9);
        prop_assert!(data_sectors(&built.truth()).iter().zip(&found).all(|(data, found)| !data || *found));
    }

    #[test]
    fn a_truncated_image_is_refused_or_read_as_before(seed in any::<u64>(), cut in any::<prop::sample::Index>()) {
        let directory = tempfile::tempdir().unwrap();
        let built = Chain::random(seed);
        let image = built.write_to(directory.path()).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&image).unwrap();
        file.set_len(cut.index(usize::try_from(file.metadata().unwrap().len()).unwrap()) as u64).unwrap();
        match answer(&image) {
            Ok(content) => prop_assert!(content == built.truth(), "content differs"),
            Err(failure) => prop_assert_eq!(failure.status(), Status::Damaged, "{}", failure),
        }
    }

    #[test]
    fn damaged_tables_end_in_an_answer_or_an_error(seed in any::<u64>(), damage in any::<u64>()) {
        let directory = tempfile::tempdir().unwrap();
        let image = Chain::random(seed).write_to(directory.path()).unwrap();
        let mut bytes = std::fs::read(&image).unwrap();
        spoil(&mut bytes, &mut Dice::new(damage));
        std::fs::write(&image, bytes).unwrap();
        let walked = open(&image).and_then(|chain| {
            // The work is bounded by the files, not by what the tables claim: an entry of 16 bytes gives at most 32
            // extents, and there are two walks.
            let bytes: u64 = chain.layers().iter().map(|layer| layer.file().size()).sum();
            let bound = 5 * bytes + 1000;
            let mut count = 0;
            for extent in chain.extents().chain(SkipHoles::new(chain.extents(), chain.data_files()?)) {
                extent?;
                count += 1;
                assert!(count < bound, "more than {bound} extents");
            }
            Ok(())
        });
        if let Err(failure) = walked {
            prop_assert!(failure.status() != Status::Usage, "{}", failure);
            prop_assert!(!failure.to_string().contains('\n'));
        }
    }
}

/// Changes some of the words that decide something: small images are little else.
fn spoil(bytes: &mut [u8], dice: &mut Dice) {
    let first = if dice.one_in(2) { 112 } else { bytes.len() as u64 };
    for _ in 0..=dice.below(6) {
        let limit = if dice.one_in(2) { first } else { bytes.len() as u64 };
        let start = usize::try_from(dice.below(limit) / 8 * 8).unwrap();
        let Some(word) = bytes.get_mut(start..start + 8) else { continue };
        let old = u64::from_be_bytes(word.try_into().unwrap());
        let new = match dice.below(5) {
            0 => old ^ (1 << dice.below(64)),
            1 => dice.roll(),
            2 => u64::MAX,
            3 => old.wrapping_add(dice.pick(&[1, 512, 1 << 16, 1 << 32])),
            _ => dice.below(1 << 24),
        };
        word.copy_from_slice(&new.to_be_bytes());
    }
}
