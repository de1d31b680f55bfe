//! What the fuzz targets share: the files that an input stands for, and what every walk must keep to.

use std::cell::RefCell;
use std::path::PathBuf;

use extents::failure::Failure;
use extents::piece::Piece;
use tempfile::TempDir;

/// Pieces that are looked at: an image of few bytes can claim a disk of many.
const ENOUGH: usize = 100_000;

/// Stands between the image and the file `base` that it may name as its parent or backing file.
const SEPARATOR: &[u8] = b"\0--base--\0";

thread_local! {
    static DIRECTORY: RefCell<TempDir> = RefCell::new(TempDir::with_prefix_in("fuzz", "/dev/shm").unwrap());
}

/// Writes the image in `input`, and `base` beside it if there is one; yields the path of the image.
pub fn files(input: &[u8]) -> PathBuf {
    let at = input.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let (image, base) = match at {
        Some(at) => (&input[..at], &input[at + SEPARATOR.len()..]),
        None => (input, &[][..]),
    };
    DIRECTORY.with_borrow(|directory| {
        std::fs::write(directory.path().join("base"), base).unwrap();
        let path = directory.path().join("image");
        std::fs::write(&path, image).unwrap();
        path
    })
}

/// The pieces must cover `virtual_size` in order until they end or fail.
pub fn check_cover(pieces: impl Iterator<Item = Result<Piece, Failure>>, virtual_size: u64) {
    let mut position = 0;
    let mut whole = true;
    for (number, piece) in pieces.enumerate() {
        let Ok(piece) = piece else { return };
        assert!(piece.start == position && piece.length > 0);
        position = piece.end();
        assert!(position <= virtual_size);
        if number == ENOUGH {
            whole = false;
            break;
        }
    }
    assert!(!whole || position == virtual_size);
}
