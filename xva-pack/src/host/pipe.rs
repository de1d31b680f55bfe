//! The pipe to the next program.

use std::os::fd::AsFd;

/// The largest pipe that a program without privileges may ask for (/proc/sys/fs/pipe-max-size).
///
/// Measured, 1 GiB from the page cache into `cat >/dev/null`: 0.33 s of processor time with 1 MiB, 0.35 with 256 KiB,
/// 0.39 with the 64 KiB that a pipe has.
const PIPE_BYTES: usize = 1 << 20;

/// Makes a pipe as large as allowed, so that the writer and the reader wake each other less often. What is no pipe
/// stays as it is, and a pipe that cannot grow is only slower.
pub fn enlarge(output: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(output, PIPE_BYTES);
}
