//! VHD images, written byte by byte.
