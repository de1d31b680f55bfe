//! Builds archives member by member, so that a test can get any part of one wrong.

#![allow(dead_code, reason = "each test file takes what it needs of this")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use xva_pack::ova::document::to_xml;
use xva_pack::ova::uuid::uuid;
use xva_pack::ova::vm::Vm;
use xva_pack::ova::vm_disk::VmDisk;
use xva_pack::ova::vm_network::VmNetwork;
use xva_pack::xva::checksum::Algorithm;
use xva_pack::xva::tar_member::{RECORD, header, padding};

/// Bytes of a block here: small, and not the usual length either.
pub(crate) const BLOCK: usize = 4096;

/// An archive in the making.
#[derive(Clone, Default)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

impl Archive {
    /// Only metadata: a machine with these disks.
    pub(crate) fn with_ova(disks: &[(&str, usize)]) -> Self {
        Archive::default().member("ova.xml", &ova(disks))
    }

    /// A member as xapi writes it.
    pub(crate) fn member(self, name: &str, data: &[u8]) -> Self {
        let header = header(name, data.len() as u64).unwrap();
        self.raw(&header).data(data)
    }

    /// A member whose header was changed; its checksum is made right again.
    pub(crate) fn member_with(self, name: &str, data: &[u8], change: impl FnOnce(&mut [u8; RECORD])) -> Self {
        let mut header = header(name, data.len() as u64).unwrap();
        change(&mut header);
        seal(&mut header);
        self.raw(&header).data(data)
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Bytes, padded to whole records.
    pub(crate) fn data(self, data: &[u8]) -> Self {
        self.raw(data).raw(&vec![0; padding(data.len() as u64)])
    }

    /// A block with its XXH64.
    pub(crate) fn block(self, name: &str, data: &[u8]) -> Self {
        self.block_by(name, data, Algorithm::Xxhash)
    }

    /// A block with its checksum.
    pub(crate) fn block_by(self, name: &str, data: &[u8], algorithm: Algorithm) -> Self {
        let text = algorithm.text(data);
        self.member(name, data).checksum(name, algorithm.suffix(), &text)
    }

    /// A checksum member.
    pub(crate) fn checksum(self, name: &str, suffix: &str, text: &str) -> Self {
        self.member(&format!("{name}{suffix}"), text.as_bytes())
    }

    /// The end-of-tar.
    pub(crate) fn end(self) -> Vec<u8> {
        self.raw(&[0; 2 * RECORD]).0
    }
}

/// Makes a header one of the ustar dialect, with this type flag.
pub(crate) fn ustar(header: &mut [u8; RECORD], kind: u8) {
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[156] = kind;
}

/// Makes the checksum of a header right.
pub(crate) fn seal(header: &mut [u8; RECORD]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}

/// Metadata of a machine with these disks. Their sizes are as given, not rounded.
pub(crate) fn ova(disks: &[(&str, usize)]) -> Vec<u8> {
    ova_with(disks, &[])
}

/// As [`ova`], with network cards in `networks`.
pub(crate) fn ova_with(disks: &[(&str, usize)], networks: &[&str]) -> Vec<u8> {
    let vm = Vm {
        name: "vm".to_owned(),
        memory: 1 << 30,
        vcpus: 1,
        disks: disks
            .iter()
            // A size that no other number in the document has, to be replaced.
            .zip(1_u64..)
            .map(|(&(prefix, _), n)| VmDisk::new(prefix, (n * 7919) << 20, None).unwrap())
            .collect(),
        networks: networks.iter().map(|label| VmNetwork::new(label, None).unwrap()).collect(),
        ..Vm::default()
    };
    let mut text = String::from_utf8(to_xml(&vm, |id, seed| uuid(seed, id)).unwrap()).unwrap();
    for (&(_, size), n) in disks.iter().zip(1_u64..) {
        text = text.replace(&format!(">{}<", (n * 7919) << 20), &format!(">{size}<"));
    }
    text.into_bytes()
}

/// Data that is not zero and not like that of another block.
pub(crate) fn data(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// What a program said.
pub(crate) struct Answer {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs xva-unpack with `archive` in a pipe.
pub(crate) fn unpack(archive: &[u8], arguments: &[&str]) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xva-unpack"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let archive = archive.to_vec();
    // A program that has seen enough closes the pipe.
    let writer = std::thread::spawn(move || stdin.write_all(&archive).is_ok());
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    answer(output)
}

/// Runs xva-unpack on `archive` in a file of `folder`.
pub(crate) fn unpack_file(folder: &Path, archive: &[u8], arguments: &[&str]) -> Answer {
    let file = folder.join("archive.xva");
    std::fs::write(&file, archive).unwrap();
    answer(Command::new(env!("CARGO_BIN_EXE_xva-unpack")).args(arguments).arg(file).output().unwrap())
}

fn answer(output: std::process::Output) -> Answer {
    Answer {
        status: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
