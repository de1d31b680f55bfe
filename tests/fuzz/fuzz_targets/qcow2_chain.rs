//! A QCOW2 image, alone or over a second one: no panic, the extents cover the virtual size without a gap, and the map is
//! one that xva-pack follows.
#![no_main]

use extents::image::confinement::{Confinement, SearchPaths};
use extents::image::file::ImageFile;
use fuzz::{check_cover, check_map, files};
use libfuzzer_sys::fuzz_target;
use qcow_headers::chain::{Chain, Format, Options};

fuzz_target!(|input: &[u8]| {
    let path = files(input);
    let confinement = Confinement::new(&path, &SearchPaths::default()).unwrap();
    let options = Options { backing: true, backing_format: Some(Format::Qcow2), data: true };
    let Ok(chain) = Chain::open(ImageFile::open(&path).unwrap(), &confinement, options) else { return };
    check_cover(chain.extents(), chain.virtual_size());
    check_cover(chain.extents_without_holes(), chain.virtual_size());
    if chain.refuse_ciphertext("").is_ok() {
        check_map(|| chain.extents(), chain.virtual_size(), chain.data_paths());
    }
});
