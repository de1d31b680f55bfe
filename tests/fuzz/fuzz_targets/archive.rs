//! An archive, compressed or not, as a file and as a stream: no panic, offsets never decrease, and both ways lead to the same answer.
#![no_main]

use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use extents::failure::Failure;
use extents::frame::input::InputName;
use extents::frame::messages::{Messages, Verbosity};
use fuzz::{file, in_frames, seal};
use libfuzzer_sys::fuzz_target;
use xva_pack::unpack::findings::{Findings, Policy};
use xva_pack::unpack::input::Input;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::report::Archive;
use xva_pack::unpack::sink::Sink;
use xva_pack::unpack::walk::read;
use xva_pack::xva::tar_member::RECORD;

/// What a pipe holds: all of it is written before it is read.
const PIPE: usize = 64 << 10;

/// Takes the disks whose prefix has an even length.
#[derive(Default)]
struct Taker {
    position: u64,
    open: bool,
}

impl Sink for Taker {
    fn wants(&self, prefix: &str) -> bool {
        prefix.len() % 2 == 0 || prefix.len() == 7
    }

    fn begin(&mut self, _: &str, _: Option<u64>) -> Result<(), Failure> {
        assert!(!std::mem::replace(&mut self.open, true));
        self.position = 0;
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        assert!(self.open && offset >= self.position);
        self.position = offset + bytes.len() as u64;
        Ok(())
    }

    fn end(&mut self, size: u64, whole: bool) -> Result<(), Failure> {
        assert!(std::mem::take(&mut self.open) && (!whole || self.position <= size));
        Ok(())
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

fn answer(input: Input, how: u8) -> (Archive, Result<(), Failure>, u64) {
    let policy = Policy { strict: how & 1 == 1, keep_going: how & 2 == 2 };
    let quiet = Messages::new("fuzz", Verbosity { quiet: true, verbose: false });
    let mut findings = Findings::new(policy, quiet);
    let (archive, done) = read(input, &Options::default(), &mut Taker::default(), &mut findings);
    (archive, done, findings.bad())
}

fuzz_target!(|input: (u8, &[u8])| {
    let (how, bytes) = input;
    if bytes.len() > PIPE {
        return;
    }
    let mut bytes = bytes.to_vec();
    bytes.chunks_mut(RECORD).for_each(seal);
    if how & 4 == 4 {
        bytes = in_frames(&bytes, how >> 3);
        if bytes.len() > PIPE {
            return;
        }
    }
    let whole = answer(Input::open(&InputName::File(file(&bytes))).unwrap(), how);
    let (output, mut stream) = std::io::pipe().unwrap();
    stream.write_all(&bytes).unwrap();
    drop(stream);
    let path = PathBuf::from(format!("/dev/fd/{}", output.as_raw_fd()));
    let piped = answer(Input::open(&InputName::File(path)).unwrap(), how);
    assert_eq!(whole.1.is_ok(), piped.1.is_ok(), "{:?} {:?}", whole.1, piped.1);
    assert_eq!((whole.0.disks, whole.0.has_ova, whole.2), (piped.0.disks, piped.0.has_ova, piped.2));
});
