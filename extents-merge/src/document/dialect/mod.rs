//! What each dialect looks like.

pub(crate) mod intervals;
pub(crate) mod map_array;
