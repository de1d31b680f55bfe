//! What becomes of a block: it is looked through for data and made two members of the archive, or left out.

use extents::failure::Failure;

use crate::host::zeros::is_zero;
use crate::pack::feed::Pulled;
use crate::pack::job::Block;
use crate::pack::member_pair::MemberPair;
use crate::pack::reader::Reader;
use crate::xva::checksum::Algorithm;
use crate::xva::member_name::Prefix;

/// How blocks become members.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// Directory in the archive.
    pub prefix: Prefix,
    /// Algorithm of the checksum members.
    pub algorithm: Algorithm,
    /// Zero blocks are written too.
    pub keep_zeros: bool,
    /// The CRC-32 of every block is wanted.
    pub with_crc: bool,
}

/// A block that was read.
#[derive(Debug)]
pub(crate) struct ReadBlock {
    /// Which block it is.
    pub(crate) block: Block,
    /// Bytes that were read for it.
    pub(crate) bytes_read: u64,
    /// All of it is zero, and nobody asked to write it: not sealed.
    pub(crate) left_out: bool,
    /// CRC-32 of what the disk has of it, if wanted.
    pub(crate) crc: Option<u32>,
    /// Its data, with its headers if it is sealed.
    pub(crate) memory: MemberPair,
}

impl Sealing {
    /// Reads what is still to be read of a block, and seals it unless it is left out.
    pub(crate) fn work(
        &self,
        reader: &mut Reader,
        pulled: Pulled,
        mut memory: MemberPair,
    ) -> Result<ReadBlock, Failure> {
        let (block, bytes_read) = match pulled {
            Pulled::Job(job) => {
                reader.fill(&job, &mut memory)?;
                (job.block, job.bytes_to_read())
            }
            Pulled::Read(block) => (block, block.disk_length as u64),
        };
        let left_out = !block.required && !self.keep_zeros && is_zero(memory.data(block.length));
        if !left_out {
            self.seal(block, &mut memory)?;
        }
        let crc = self.with_crc.then(|| crc32fast::hash(memory.data(block.disk_length)));
        Ok(ReadBlock { block, bytes_read, left_out, crc, memory })
    }

    /// Makes the two members of a block.
    pub(crate) fn seal(&self, block: Block, memory: &mut MemberPair) -> Result<(), Failure> {
        memory.seal(&self.prefix, block.number, block.length, self.algorithm)
    }
}
