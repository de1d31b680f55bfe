//! QCOW2 images, written byte by byte.
