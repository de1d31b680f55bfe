//! Lengths of what is held in memory.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("disks have more bytes than 32 bits can count: build this for a 64-bit target");

/// A number of bytes or entries that are held in memory, as the length of a slice. Nothing is lost: there is no target of
/// fewer than 64 bits (see above).
#[allow(clippy::cast_possible_truncation, reason = "refused at compile time")]
pub const fn in_memory(count: u64) -> usize {
    count as usize
}
