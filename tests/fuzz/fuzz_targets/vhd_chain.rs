//! A VHD, alone or with a parent: no panic, the extents cover the virtual size without a gap, and the map is one that
//! xva-pack follows.
#![no_main]

use extents::frame::disk_output::map_file;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;
use fuzz::{check_cover, check_map, files};
use image_builders::vhd::{FOOTER_CHECKSUM, HEADER_CHECKSUM, seal};
use libfuzzer_sys::fuzz_target;
use vhd_headers::chain::{Chain, Options};
use vhd_headers::granularity::Granularity;

/// Gives each structure of `length` bytes that begins with `cookie` its checksum, at offset `field`: without it, hardly any
/// input would come past the first check.
fn seal_all(image: &mut [u8], cookie: &[u8], length: usize, field: usize) {
    for at in 0..image.len() {
        if let Some(structure) = image.get_mut(at..at + length).filter(|bytes| bytes.starts_with(cookie)) {
            seal(structure, field);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut sealed = input.to_vec();
    seal_all(&mut sealed, b"conectix", 512, FOOTER_CHECKSUM);
    seal_all(&mut sealed, b"cxsparse", 1024, HEADER_CHECKSUM);
    let path = files(&sealed);
    let confinement = Confinement::new(Some(&path), &[]).unwrap();
    let Ok(chain) = Chain::open(ImageFile::open(&path).unwrap(), &confinement, Options { parents: true })
    else {
        return;
    };
    for granularity in [Granularity::Block, Granularity::Sector] {
        if let Ok(extents) = chain.extents(granularity) {
            check_cover(extents, chain.virtual_size());
        }
    }
    let files = chain.data_files().into_iter().map(map_file).collect();
    if chain.extents(Granularity::Sector).is_ok() {
        check_map(|| chain.extents(Granularity::Sector).unwrap(), chain.virtual_size(), files);
    }
});
