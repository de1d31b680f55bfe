//! A map over one file: no panic, blocks ascend, and what is planned can be read or is refused.
#![no_main]

use std::path::PathBuf;
use std::sync::Arc;

use fuzz::in_directory_with_data;
use libfuzzer_sys::fuzz_target;
use xva_pack::pack::files::Files;
use xva_pack::pack::map_plan::MapPlan;
use xva_pack::pack::member_pair::MemberPair;
use xva_pack::pack::reader::Reader;
use xva_pack::xva::fit::Fit;

/// Blocks that are read: a map of few bytes can describe a disk of many.
const ENOUGH: usize = 50;

fuzz_target!(|input: &[u8]| {
    // A map may name any file of the machine; the fuzzer keeps to the directory that it is in.
    if input.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
        return;
    }
    in_directory_with_data();
    let files = Files::new();
    let fit = Fit { pad: input.len() % 2 == 0, ..Fit::default() };
    let plan = MapPlan::new(input, PathBuf::from("map"), Arc::clone(&files), fit, false);
    let mut reader = Reader::new(Arc::clone(&files), false);
    let mut memory = MemberPair::new().unwrap();
    let mut next = 0;
    for job in plan.take(ENOUGH) {
        let Ok(job) = job else { break };
        let block = job.block;
        assert!(block.number >= next && block.disk_length <= block.length && block.length <= 1 << 20);
        next = block.number + 1;
        if reader.fill(&job, &mut memory).is_err() {
            break;
        }
    }
    files.check_unchanged().unwrap();
});
