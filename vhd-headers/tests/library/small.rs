//! The disk that tests of one structure begin with.

use image_builders::vhd::{Vhd, Write};

/// A dynamic disk of five small blocks, the second and the last of which hold something.
pub(crate) fn small() -> Vhd {
    let mut image =
        Vhd::dynamic("disk.vhd", 5 * 8192 - 1000).with(Write::data(17, 3)).with(Write::data(70, 20));
    image.block_bits = 13;
    image
}
