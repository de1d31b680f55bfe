//! Random maps over random files: what is planned and read is what the map says, block for block.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use xva_pack::pack::files::Files;
use xva_pack::pack::map_plan::MapPlan;
use xva_pack::pack::member_pair::MemberPair;
use xva_pack::pack::reader::Reader;
use xva_pack::xva::block::BLOCK_LEN;
use xva_pack::xva::fit::Fit;

/// One entry: bytes, and if it is data the file (of two) and how many bytes to leave unused before it.
type Extent = (usize, Option<(usize, usize)>);

fn extents() -> impl Strategy<Value = Vec<Extent>> {
    let length = prop_oneof![
        Just(0_usize),
        1..20_usize,
        (1..5000_usize).prop_map(|sectors| sectors * 512),
        (1..3_usize).prop_map(|blocks| blocks * BLOCK_LEN),
    ];
    // A disk of whole blocks is rare among the others, and has no block after its last one.
    let whole = prop_oneof![Just(0_usize), Just(BLOCK_LEN), Just(BLOCK_LEN / 2)];
    let place = || prop::option::weighted(0.6, (0..2_usize, 0..3000_usize));
    prop_oneof![
        2 => prop::collection::vec((length, place()), 1..16),
        1 => prop::collection::vec((whole, place()), 1..6),
    ]
}

/// The map of `extents`, the content of its files, and the raw disk.
fn build(extents: &[Extent], names: [&str; 2]) -> (String, [Vec<u8>; 2], Vec<u8>) {
    let mut map = String::from("[");
    let mut files = [Vec::new(), Vec::new()];
    let mut raw: Vec<u8> = Vec::new();
    for (number, &(length, data)) in extents.iter().enumerate() {
        let comma = if number == 0 { "" } else { ",\n" };
        let _ =
            write!(map, "{comma}{{\"start\":{},\"length\":{length},\"zero\":{}", raw.len(), data.is_none());
        if let Some((file, unused)) = data {
            let content = &mut files[file];
            content.resize(content.len() + unused, 0xEE);
            let _ = write!(map, ",\"offset\":{},\"filename\":\"{}\"", content.len(), names[file]);
            let bytes: Vec<u8> = (1..=u8::MAX).cycle().skip(number).take(length).collect();
            content.extend(&bytes);
            raw.extend(&bytes);
        } else {
            raw.resize(raw.len() + length, 0);
        }
        map.push('}');
    }
    map.push(']');
    (map, files, raw)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_map_reads_as_the_disk_that_it_describes(extents in extents()) {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().join("a"), directory.path().join("b")];
        prop_assume!(extents.iter().any(|&(length, _)| length > 0));
        let (map, contents, raw) = build(&extents, [paths[0].to_str().unwrap(), paths[1].to_str().unwrap()]);
        for (path, content) in paths.iter().zip(&contents) {
            std::fs::write(path, content).unwrap();
        }
        let files = Files::new();
        let fit = Fit { pad: true, ..Fit::default() };
        let plan = MapPlan::new(map.as_bytes(), PathBuf::from("map"), Arc::clone(&files), fit, false);
        let mut reader = Reader::new(files, false);
        let mut memory = MemberPair::new().unwrap();
        let mut read = Vec::new();
        let mut required = Vec::new();
        for job in plan {
            let job = job.unwrap();
            reader.fill(&job, &mut memory).unwrap();
            let block = job.block;
            let start = usize::try_from(block.number).unwrap() * BLOCK_LEN;
            prop_assert!(start >= read.len(), "block {} after {} bytes", block.number, read.len());
            read.resize(start, 0);
            read.extend(memory.data(block.length));
            prop_assert_eq!(block.length, BLOCK_LEN);
            prop_assert_eq!(block.disk_length, (raw.len() - start).min(BLOCK_LEN));
            if block.required {
                required.push(start);
            }
        }
        let last = (raw.len() - 1) / BLOCK_LEN * BLOCK_LEN;
        prop_assert_eq!(read.len(), last + BLOCK_LEN);
        prop_assert_eq!(&read[..raw.len()], &raw[..]);
        prop_assert!(read[raw.len()..].iter().all(|&byte| byte == 0));
        prop_assert_eq!(required, if last == 0 { vec![0] } else { vec![0, last] });
    }
}
