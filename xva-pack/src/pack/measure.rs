//! `--measure`: how long an archive will be, known before it is written.

use extents::failure::Failure;

use crate::pack::feed::Feed;
use crate::pack::member_pair::{MemberPair, archived_length};
use crate::xva::tar_member::{RECORD, TRAILER, padding};

/// Bytes of an archive. They are exact if zero blocks are kept, and an upper bound otherwise.
///
/// `ova_xml` is the length of that file, if it goes into the archive.
pub fn archive(mut feed: Feed, ova_xml: Option<usize>, others_follow: bool) -> Result<u64, Failure> {
    let mut memory = MemberPair::new()?;
    let mut bytes = if others_follow { 0 } else { TRAILER.len() as u64 };
    if let Some(length) = ova_xml {
        bytes += (RECORD + length + padding(length as u64)) as u64;
    }
    while let Some(pulled) = feed.pull(&mut memory)? {
        bytes += archived_length(pulled.block().length as u64);
    }
    Ok(bytes)
}
