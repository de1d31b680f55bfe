//! A VHD, alone or with a parent: no panic, the extents cover the virtual size without a gap, and the map is one that
//! xva-pack follows.
#![no_main]

use extents::image::confinement::{Confinement, SearchPaths};
use extents::image::file::ImageFile;
use fuzz::{check_cover, check_map, files};
use libfuzzer_sys::fuzz_target;
use vhd_headers::chain::Chain;
use vhd_headers::sparse::Granularity;

/// Gives a structure of `length` bytes that begins with `cookie` its checksum: the complement of the sum of its bytes.
/// Without it, hardly any input would come past the first check.
fn seal(image: &mut [u8], at: usize, cookie: &[u8], length: usize, checksum: usize) {
    let Some(record) = image.get_mut(at..at + length) else { return };
    if record.starts_with(cookie) {
        record[checksum..checksum + 4].fill(0);
        let sum = record.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        record[checksum..checksum + 4].copy_from_slice(&(!sum).to_be_bytes());
    }
}

fuzz_target!(|input: &[u8]| {
    let mut sealed = input.to_vec();
    for start in input.windows(8).enumerate().filter(|(_, cookie)| cookie == b"conectix").map(|(at, _)| at) {
        seal(&mut sealed, start, b"conectix", 512, 64);
    }
    for start in input.windows(8).enumerate().filter(|(_, cookie)| cookie == b"cxsparse").map(|(at, _)| at) {
        seal(&mut sealed, start, b"cxsparse", 1024, 36);
    }
    let path = files(&sealed);
    let confinement = Confinement::new(&path, &SearchPaths::default()).unwrap();
    let Ok(chain) = Chain::open(ImageFile::open(&path).unwrap(), Some(&confinement)) else { return };
    for granularity in [Granularity::Block, Granularity::Sector] {
        if let Ok(extents) = chain.extents(granularity) {
            check_cover(extents, chain.virtual_size());
        }
    }
    let paths = chain.layers().iter().map(|layer| layer.file().path().to_path_buf()).collect();
    if chain.extents(Granularity::Sector).is_ok() {
        check_map(|| chain.extents(Granularity::Sector).unwrap(), chain.virtual_size(), paths);
    }
});
