//! Random chains of random geometry, against the truth that their builder knows: nothing missed, nothing over-estimated
//! beyond what the BATs and bitmaps say, and no panic whatever is damaged.

use image_builders::vhd::{Chain, Disk, FooterCopy, Vhd, Write};
use image_builders::walk::units;
use proptest::prelude::*;
use vhd_headers::granularity::Granularity;

use crate::guest;

/// Everything of an image that may vary, apart from its place in the chain.
fn image() -> impl Strategy<Value = Vhd> {
    let shape = (9..17_u32, 0..200_000_u64, any::<u64>(), 0..300_u32, [0..3_u64, 0..3_u64, 0..3_u64]);
    let flags = any::<[bool; 3]>();
    let writes = prop::collection::vec((0..400_u64, 0..64_u64, prop::bool::weighted(0.2)), 0..6);
    let footers = prop_oneof![
        6 => Just((FooterCopy::Sound, FooterCopy::Sound)),
        1 => Just((FooterCopy::Missing, FooterCopy::Sound)),
        1 => Just((FooterCopy::Damaged, FooterCopy::Sound)),
        1 => Just((FooterCopy::Sound, FooterCopy::Missing)),
        1 => Just((FooterCopy::Sound, FooterCopy::Damaged)),
        1 => Just((FooterCopy::Sound, FooterCopy::Short)),
        1 => Just((FooterCopy::Missing, FooterCopy::Short)),
    ];
    let empty_blocks = prop::collection::vec(0..40_u64, 0..3);
    (shape, flags, writes, footers, empty_blocks).prop_map(|(shape, flags, writes, footers, empty_blocks)| {
        let (block_bits, size, shuffle, spare_entries, gaps) = shape;
        let mut image = Vhd::dynamic("", size);
        image.block_bits = block_bits;
        image.shuffle = shuffle;
        image.spare_entries = spare_entries;
        image.gaps = gaps;
        [image.table_last, image.batmap, image.stale] = flags;
        image.writes =
            writes.iter().map(|&(sector, sectors, zeros)| Write { sector, sectors, zeros }).collect();
        (image.head, image.tail) = footers;
        image.empty_blocks = empty_blocks.into_iter().filter(|&block| block < image.blocks()).collect();
        image
    })
}

/// A chain of one to six images. The base may be any kind of disk.
fn chain() -> impl Strategy<Value = Chain> {
    let base = prop_oneof![Just(Disk::Raw), Just(Disk::Fixed), Just(Disk::Dynamic)];
    (base, prop::collection::vec(image(), 1..6), any::<bool>()).prop_map(|(base, mut images, resized)| {
        for number in 0..images.len() {
            let name = format!("layer{number}.vhd");
            let mut image = images[number].clone();
            if number == 0 {
                image.disk = if images.len() == 1 && base == Disk::Raw { Disk::Dynamic } else { base };
                image.unique_id = Vhd::dynamic(&name, 0).unique_id;
                if image.disk == Disk::Fixed {
                    // Its only footer is the last one.
                    image.tail =
                        if image.tail == FooterCopy::Short { FooterCopy::Short } else { FooterCopy::Sound };
                }
            } else {
                let child = Vhd::child_of(&images[number - 1], &name);
                image.disk = child.disk;
                image.unique_id = child.unique_id;
                image.parent_id = child.parent_id;
                image.parent_name = child.parent_name;
                image.locators = child.locators;
                if !resized {
                    image.size = child.size;
                    image.empty_blocks.retain(|&block| block << image.block_bits < image.size);
                }
            }
            image.name = name;
            images[number] = image;
        }
        Chain(images)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_chain_shows_its_disk_and_no_sector_more(truth in chain()) {
        let directory = tempfile::tempdir().unwrap();
        let path = truth.write_to(directory.path()).unwrap();
        let chain = guest::open(&path).unwrap();
        let sectors = guest::extents(&chain, Granularity::Sector).unwrap();
        prop_assert!(guest::content(&chain, &sectors) == truth.truth(), "the content differs");
        prop_assert_eq!(units(&sectors, 9), truth.stored_sectors());
        let bits = chain.cluster_bits();
        let blocks = guest::extents(&chain, Granularity::Block).unwrap();
        prop_assert_eq!(units(&blocks, bits), truth.touched_units(bits));
    }

    #[test]
    fn no_damage_makes_it_panic_or_leave_a_gap(
        image in image(),
        damage in prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<u32>()), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut built = Vhd { name: "x.vhd".into(), ..image }.build();
        for (place, index, value) in damage {
            match place {
                0 => built.patch_header(index.index(1020), &value.to_be_bytes()),
                1 if built.bytes.len() >= built.tail + 512 => {
                    built.patch_footers(index.index(508), &value.to_be_bytes());
                }
                2 => built.set_entry(index.index(8) as u64 % 64, value % 600),
                _ => {
                    let at = index.index(built.bytes.len());
                    built.bytes[at] ^= value.to_be_bytes()[0];
                }
            }
        }
        if let Some(index) = cut {
            let length = index.index(built.bytes.len());
            built.bytes.truncate(length);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = built.write_to(directory.path()).unwrap();
        for granularity in [Granularity::Block, Granularity::Sector] {
            // Whatever is said, the extents cover the disk; a failure is a single line.
            if let Err(failure) = guest::open(&path).and_then(|chain| {
                if chain.virtual_size() < 1 << 40 { guest::extents(&chain, granularity).map(|_| ()) } else { Ok(()) }
            }) {
                prop_assert!(failure.to_string().lines().count() == 1);
            }
        }
    }
}
