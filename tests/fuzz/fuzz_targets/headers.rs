//! The headers of an archive: no panic, and a map that leads into the archive, however it is damaged.
#![no_main]

use std::path::PathBuf;

use extents::document::print::{Form, Printer};
use extents::failure::Status;
use extents::frame::disk_output::map_file;
use extents::frame::input::InputName;
use extents::frame::messages::{Messages, Verbosity};
use extents::image::file::ImageFile;
use fuzz::{file, in_frames, seal};
use libfuzzer_sys::fuzz_target;
use xva_pack::pack::files::Files;
use xva_pack::pack::map_plan::MapPlan;
use xva_pack::unpack::disk_extents::{Chosen, DiskExtents};
use xva_pack::unpack::findings::{Findings, Policy};
use xva_pack::unpack::frames::Frames;
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::walk::read;
use xva_pack::xva::fit::Fit;
use xva_pack::xva::tar_member::RECORD;

fuzz_target!(|input: (u8, &[u8])| {
    let (how, bytes) = input;
    let mut bytes = bytes.to_vec();
    bytes.chunks_mut(RECORD).for_each(seal);
    if how & 4 == 4 {
        bytes = in_frames(&bytes, how >> 3);
    }
    let path = file(&bytes);
    let image = ImageFile::open(&path).unwrap();
    let mut chosen = None;
    // The second time as an archive without metadata is read again, once its end is known.
    for _ in 0..2 {
        let files = vec![map_file(&image)];
        let printer = Printer { form: Form::Map, virtual_size: 0, cluster_bits: 20, files };
        let mut map = Vec::new();
        let Ok(frames) = Frames::of_image(&image) else { return };
        let mut extents = DiskExtents::new(path.clone(), frames, None, chosen.clone(), printer, &mut map);
        let quiet = Messages::new("fuzz", Verbosity { quiet: true, verbose: false });
        let mut findings = Findings::new(Policy { strict: false, keep_going: false }, quiet);
        let input = Input::of_image(&image, &InputName::File(path.clone())).unwrap();
        let (archive, done) = read(input, &Options::default(), &mut extents, &mut findings);
        if done.is_err() {
            return;
        }
        let is_chosen = extents.is_chosen();
        if extents.finish().is_err() {
            return;
        }
        if is_chosen {
            let fit = Fit { pad: true, ..Fit::default() };
            let mut plan = MapPlan::new(map.as_slice(), PathBuf::from("map"), Files::new(), fit, false);
            if let Some(failure) = plan.find_map(Result::err) {
                assert_eq!(failure.status(), Status::Unsupported, "{failure}");
            }
            return;
        }
        chosen = Chosen::of_archive(None, &archive).ok();
        if chosen.is_none() {
            return;
        }
    }
    panic!("it was known which disk is printed, and it was not");
});
