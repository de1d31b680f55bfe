//! The files that a QCOW2 image needs besides itself: how many, and how much of them.

use std::fs::OpenOptions;

use extents::failure::Status;
use image_builders::qcow2::{Cluster, Image};
use qcow_headers::chain::Options;

use crate::guest::{open, open_with, read};

#[test]
fn a_data_file_must_reach_to_the_end_of_the_data() {
    const CLUSTER: u64 = 512;
    let mut image = Image::new("image", 8 * CLUSTER).cluster_bits(9);
    image.data_file = Some("image.data".to_owned());
    for number in 0..8 {
        image.set(number, Cluster::Data);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = image.write_to(directory.path()).unwrap();
    assert!(read(&open(&path).unwrap()).unwrap() == image.truth(&[]), "content differs");
    let data = OpenOptions::new().write(true).open(directory.path().join("image.data")).unwrap();
    for length in [8 * CLUSTER - 1, CLUSTER, 0] {
        data.set_len(length).unwrap();
        let failure = read(&open(&path).unwrap()).unwrap_err();
        assert_eq!(failure.status(), Status::Damaged, "{length} bytes: {failure}");
        assert!(failure.to_string().contains("image.data: data of guest offset 0 lies outside the file"));
    }
}

#[test]
fn a_chain_has_256_layers_at_most() {
    let directory = tempfile::tempdir().unwrap();
    let mut base = Image::new("1", 4096).cluster_bits(9);
    base.set(3, Cluster::Data);
    base.write_to(directory.path()).unwrap();
    let tops: Vec<_> = (2..=257)
        .map(|layer| {
            let image = Image::new(&layer.to_string(), 4096).cluster_bits(9);
            image.over(&(layer - 1).to_string(), Some("qcow2")).write_to(directory.path()).unwrap()
        })
        .collect();
    let [.., deepest, too_deep] = tops.as_slice() else { panic!("256 images") };
    assert!(read(&open(deepest).unwrap()).unwrap() == base.truth(&[]), "content differs");
    let failure = open(too_deep).unwrap_err();
    assert_eq!(failure.status(), Status::Unsupported, "{failure}");
    assert!(failure.to_string().contains("at most 256 layers"), "{failure}");
}

#[test]
fn an_image_whose_data_file_has_no_name_has_extents_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = Image::new("image", 4096);
    image.incompatible_features = 1 << 2;
    let path = image.write_to(directory.path()).unwrap();
    let chain = open_with(&path, Options { backing: true, backing_format: None, data: false }).unwrap();
    assert!(chain.data_files().unwrap_err().to_string().ends_with("the external data file is not open"));
    let failure = open(&path).unwrap_err();
    assert_eq!(failure.status(), Status::Unsupported, "{failure}");
    assert!(failure.to_string().contains("does not say its name"), "{failure}");
}

#[test]
fn ciphertext_is_found_in_any_layer() {
    let directory = tempfile::tempdir().unwrap();
    let mut base = Image::new("base", 4096);
    let top = Image::new("top", 4096).over("base", Some("qcow2")).write_to(directory.path()).unwrap();
    for (crypt_method, status) in [(0, None), (1, Some(Status::Unsupported)), (2, Some(Status::Unsupported))]
    {
        base.crypt_method = crypt_method;
        base.write_to(directory.path()).unwrap();
        let refused = open(&top).unwrap().check_readable().err();
        assert_eq!(refused.map(|failure| failure.status()), status, "crypt_method {crypt_method}");
    }
}

#[test]
fn over_an_empty_raw_file_there_are_zeros() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("base"), []).unwrap();
    let top = Image::new("top", 4096).over("base", Some("raw")).write_to(directory.path()).unwrap();
    assert!(read(&open(&top).unwrap()).unwrap() == [0; 4096]);
}
