//! Metadata: no panic, disks in the order in which the importer reads them, and the same answer every time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xva_pack::ova::metadata::read;

fuzz_target!(|input: &[u8]| {
    if let Ok(ova) = read(input) {
        assert!(ova.disks.is_sorted_by(|a, b| a.prefix.as_bytes() <= b.prefix.as_bytes()));
        assert_eq!(read(input).as_ref(), Ok(&ova));
    }
});
