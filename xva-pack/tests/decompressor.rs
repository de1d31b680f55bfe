//! Compressed clusters, made here with the libraries' own compressors: what is whole is read whole, and what is not is
//! damage, never zeros.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::Write;

use extents::extent::stored::{CompressedCluster, Compression};
use extents::image::file::ImageFile;
use xva_pack::pack::decompressor::{Decompressor, check_inside};
use xva_pack::pack::files::{FileNumber, Files};

/// A file of `length` bytes that ends with what `tail` gives, and its number.
fn file(tail: &[u8], length: usize) -> (tempfile::TempDir, ImageFile, FileNumber) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    std::fs::write(&path, [&vec![0; length - tail.len()], tail].concat()).unwrap();
    let (_, number) = Files::of_disk(ImageFile::open(&path).unwrap()).unwrap();
    (directory, ImageFile::open(&path).unwrap(), number)
}

fn compress(compression: Compression, data: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Zlib => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::bulk::compress(data, 1).unwrap(),
    }
}

fn cluster(offset: usize, host_length: usize, size: usize, compression: Compression) -> CompressedCluster {
    CompressedCluster {
        offset: offset as u64,
        host_length: host_length as u64,
        cluster_size: u32::try_from(size).unwrap(),
        skip: 0,
        compression,
    }
}

/// Bytes that do not repeat.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn compressed_bytes_begin_in_the_file_and_only_the_rest_of_a_sector_lies_past_its_end() {
    let (_folder, file, _) = file(&[], 4096);
    for (offset, host_length, is_inside) in [
        (0, 4096, true),
        (0, 4096 + 511, true),
        (0, 4096 + 512, false),
        (4095, 1, true),
        (4095, 512, true),
        (4096, 1, false),
        (4097, 1, false),
        (u64::MAX, 1, false),
    ] {
        let cluster = CompressedCluster { offset, ..cluster(0, host_length, 65536, Compression::Zlib) };
        let status = check_inside(&file, &cluster).map_err(|failure| failure.status() as u8);
        assert_eq!(status, if is_inside { Ok(()) } else { Err(3) }, "{offset} {host_length}");
    }
}

#[test]
fn a_cluster_shorter_than_it_should_be_is_damage_and_never_zeros() {
    let truth = noise(1, 65536);
    for compression in [Compression::Zlib, Compression::Zstd] {
        for length in [0, 1, 65535, 65536] {
            let packed = compress(compression, &truth[..length]);
            let (_folder, file, number) = file(&packed, packed.len() + 100);
            let cluster = cluster(100, packed.len(), 65536, compression);
            for asked in [65536, 512] {
                let mut bytes = vec![0; asked];
                let read = Decompressor::new().read(&file, number, cluster, &mut bytes);
                if length == 65536 {
                    assert_eq!((read, &*bytes), (Ok(()), &truth[..asked]));
                } else {
                    assert_eq!(read.unwrap_err().status() as u8, 3, "{compression:?} {length} {asked}");
                }
            }
        }
    }
}

#[test]
fn a_cluster_that_did_not_become_smaller_is_read_to_its_end() {
    let truth = noise(2, 65536);
    for compression in [Compression::Zlib, Compression::Zstd] {
        let packed = compress(compression, &truth);
        assert!(packed.len() > truth.len());
        let followed = [&packed[..], &noise(3, 1000)].concat();
        let (_folder, file, number) = file(&followed, followed.len());
        let mut bytes = vec![0; 65536];
        let cluster = cluster(0, packed.len() + 500, 65536, compression);
        Decompressor::new().read(&file, number, cluster, &mut bytes).unwrap();
        assert!(bytes == truth, "{compression:?}");
    }
}

#[test]
fn a_zstd_cluster_of_several_frames_is_read_whole() {
    let truth = noise(4, 4096);
    let frames = [&truth[..1000], &truth[1000..]].map(|part| compress(Compression::Zstd, part)).concat();
    let (_folder, file, number) = file(&frames, frames.len());
    let mut bytes = vec![0; 4096];
    let cluster = cluster(0, frames.len(), 4096, Compression::Zstd);
    Decompressor::new().read(&file, number, cluster, &mut bytes).unwrap();
    assert_eq!(bytes, truth);
}

#[test]
fn parts_of_two_clusters_in_turn_are_never_mixed() {
    let truths = [noise(5, 4096), noise(6, 4096)];
    let packed = truths.each_ref().map(|truth| compress(Compression::Zlib, truth));
    let (_folder, file, number) = file(&packed.concat(), packed.concat().len());
    let mut decompressor = Decompressor::new();
    for (which, skip) in [(0, 0), (1, 512), (1, 3584), (0, 1024), (0, 2048), (1, 0)] {
        let offset = if which == 0 { 0 } else { packed[0].len() };
        let cluster = CompressedCluster {
            skip: skip as u64,
            ..cluster(offset, packed[which].len(), 4096, Compression::Zlib)
        };
        let mut bytes = [0; 512];
        decompressor.read(&file, number, cluster, &mut bytes).unwrap();
        assert_eq!(bytes, truths[which][skip..skip + 512], "{which} {skip}");
        // Past its end there is nothing to show.
        let cluster = CompressedCluster { skip: 4096 - 511, ..cluster };
        assert_eq!(decompressor.read(&file, number, cluster, &mut bytes).unwrap_err().status() as u8, 3);
    }
}
