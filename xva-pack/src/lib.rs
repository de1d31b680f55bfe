//! XVA, the format in which xapi, the toolstack of XCP-ng, exports a VM: a tar of its metadata and of its disks, one member for
//! each 1 MiB block that holds data, each followed by its checksum. This library packs disks into such an archive and
//! reads it as xapi's importer does; the programs `xva-pack`, `xva-zstd`, `xva-unpack` and `ova-xml` are its command lines.
//!
//! ```text
//! xva  (what an archive is) ─┬─ ova  (what a VM is)          ─┬─ pack   (disk to archive) ─┬─ bin
//! host (progress, pipes)    ─┴─ zstd (compressed archives)   ─┴─ unpack (archive to disk) ─┘
//! ```
//!
//! A room knows what is left of it; those one above the other do not know each other. All rooms know
//! the library `extents`, for files, failures and messages.
//!
//! An archive is checked block by block, and never held:
//!
//! ```
//! use extents::frame::input::InputName;
//! use extents::frame::messages::{Messages, Verbosity};
//! use xva_pack::host::progress::Progress;
//! use xva_pack::unpack::findings::Findings;
//! use xva_pack::unpack::input::Input;
//! use xva_pack::unpack::options::Options;
//! use xva_pack::unpack::task::{Task, Unpacker};
//! use xva_pack::unpack::walk::read;
//! use xva_pack::xva::block::{BLOCK, BLOCK_LEN};
//! use xva_pack::xva::checksum::Algorithm;
//! use xva_pack::xva::member_name::Prefix;
//! use xva_pack::xva::tar_member::{TRAILER, header, padding};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A disk of three blocks, of which the one in the middle is all zero.
//! let (prefix, kind, block) = (Prefix::parse("Ref:0")?, Algorithm::Xxhash, [7; BLOCK_LEN]);
//! let mut archive = Vec::new();
//! for number in [0, 2] {
//!     let (name, checksum) = (prefix.block_name(number), kind.text(&block));
//!     for (name, data) in [(name, &block[..]), (prefix.checksum_name(number, kind), checksum.as_bytes())] {
//!         archive.extend(header(&name, data.len() as u64)?);
//!         archive.extend(data);
//!         archive.resize(archive.len() + padding(data.len() as u64), 0);
//!     }
//! }
//! archive.extend(TRAILER);
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("disk.xva");
//! std::fs::write(&file, archive)?;
//!
//! let task = Task::Verify;
//! let mut findings = Findings::new(task.policy(false), Messages::new("example", Verbosity::default()));
//! let mut sink = Unpacker::new(&task, false, false, Progress::new(None)?);
//! let input = Input::open(&InputName::File(file))?;
//! let (found, done) = read(input, &Options::default(), &mut sink, &mut findings);
//! done?;
//!
//! let disk = &found.disks[0];
//! assert_eq!((disk.prefix.as_str(), disk.size, disk.blocks), ("Ref:0", 3 * BLOCK, 2));
//! let raw = [&block[..], &[0; BLOCK_LEN], &block].concat();
//! assert_eq!(disk.crc32, Some(crc32fast::hash(&raw)));
//! # Ok(())
//! # }
//! ```

pub mod host;
pub mod index;
pub mod ova;
pub mod pack;
pub mod unpack;
pub mod xva;
pub mod zstd;
