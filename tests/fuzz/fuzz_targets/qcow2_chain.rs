//! A QCOW2 image, alone or over a second one: no panic, the extents cover the virtual size without a gap, and the map is
//! one that xva-pack follows.
#![no_main]

use extents::frame::disk_output::map_file;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;
use extents::image::holes::SkipHoles;
use fuzz::{check_cover, check_map, files};
use libfuzzer_sys::fuzz_target;
use qcow_headers::chain::{Chain, Options};
use qcow_headers::format::Format;

fuzz_target!(|input: &[u8]| {
    let path = files(input);
    let confinement = Confinement::new(Some(&path), &[]).unwrap();
    let options = Options { backing: true, backing_format: Some(Format::Qcow2), data: true };
    let Ok(chain) = Chain::open(ImageFile::open(&path).unwrap(), &confinement, options) else { return };
    check_cover(chain.extents(), chain.virtual_size());
    check_cover(SkipHoles::new(chain.extents(), chain.data_files().unwrap()), chain.virtual_size());
    if chain.check_readable().is_ok() {
        let files = chain.data_files().unwrap().into_iter().map(map_file).collect();
        check_map(|| chain.extents(), chain.virtual_size(), files);
    }
});
