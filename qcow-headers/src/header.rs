//! The header at the start of a QCOW2 file, as it stands there. Only the magic, the version and the length decide
//! whether it can be read at all; [`crate::geometry`] judges what it says.

use extents::failure::Failure;
use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u32, be_u64};

/// The first four bytes of QCOW2, and of its predecessor QCOW version 1.
pub(crate) const MAGIC: &[u8; 4] = b"QFI\xfb";

/// How much of the file [`Header::parse`] wants to see: the fields up to `compression_type`, rounded up.
pub(crate) const HEADER_BYTES: usize = 112;

/// Bytes of a version 2 header, which ends before the feature bits.
const V2_LENGTH: u32 = 72;

/// The shortest version 3 header, which ends before `compression_type`.
const V3_LENGTH: u32 = 104;

/// Bits of `incompatible_features` ("QCOW2 image format specification", Header).
pub(crate) mod incompatible {
    /// Refcounts may be stale; the L1 and L2 tables are valid.
    pub(crate) const DIRTY: u64 = 1 << 0;
    /// Somebody found inconsistent metadata.
    pub(crate) const CORRUPT: u64 = 1 << 1;
    /// Guest data lies in another file, at the guest's offsets.
    pub(crate) const EXTERNAL_DATA_FILE: u64 = 1 << 2;
    /// `compression_type` is not 0.
    pub(crate) const COMPRESSION_TYPE: u64 = 1 << 3;
    /// L2 entries have 16 bytes, and 32 subclusters a cluster.
    pub(crate) const EXTENDED_L2: u64 = 1 << 4;
    /// Everything above.
    pub(crate) const KNOWN: u64 = (1 << 5) - 1;
}

/// Bit of `autoclear_features`: the bitmaps belong to this state of the image.
pub(crate) const BITMAPS_VALID: u64 = 1 << 0;

/// The fields that decide where data is. Offsets and sizes are file bytes unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "header_length is the specification's name")]
pub(crate) struct Header {
    /// 2 or 3.
    pub(crate) version: u32,
    /// Where the name of the backing file stands; 0 when there is none.
    pub(crate) backing_file_offset: u64,
    /// Bytes of that name, which has no NUL at its end. Means nothing when the offset is 0.
    pub(crate) backing_file_size: u32,
    /// log2 of the cluster size in bytes.
    pub(crate) cluster_bits: u32,
    /// Bytes that the guest sees.
    pub(crate) size: u64,
    /// 0 none, 1 AES, 2 LUKS.
    pub(crate) crypt_method: u32,
    /// Entries of the active L1 table; more than `size` needs when a VM state was saved.
    pub(crate) l1_size: u32,
    /// Where the active L1 table begins.
    pub(crate) l1_table_offset: u64,
    /// Where the refcount table begins.
    pub(crate) refcount_table_offset: u64,
    /// Clusters of the refcount table.
    pub(crate) refcount_table_clusters: u32,
    /// Internal snapshots.
    pub(crate) nb_snapshots: u32,
    /// Where the snapshot table begins.
    pub(crate) snapshots_offset: u64,
    /// See [`incompatible`]; 0 in version 2.
    pub(crate) incompatible_features: u64,
    /// See [`BITMAPS_VALID`]; 0 in version 2.
    pub(crate) autoclear_features: u64,
    /// Bytes of the header, after which the header extensions follow.
    pub(crate) header_length: u32,
    /// 0 deflate, 1 zstd.
    pub(crate) compression_type: u8,
}

impl Header {
    /// Parses the first [`HEADER_BYTES`] of a file, or as many as it has.
    ///
    /// QCOW version 1 and versions from 4 on are status 4, everything else that is no whole header is status 3.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let cut_off = |_| Failure::damaged(format!("the header is cut off: found {} bytes", bytes.len()));
        if !bytes.starts_with(MAGIC) {
            return Err(Failure::damaged("is not a QCOW2 image"));
        }
        let (_, version) = version(bytes).map_err(cut_off)?;
        match version {
            0 => Err(Failure::damaged("unknown version of QCOW: found 0, expected 2 or 3")),
            1 => Err(Failure::unsupported(
                "is a QCOW version 1 image: expected version 2 or 3; qemu-img convert -O qcow2 makes one",
            )),
            2 | 3 => fields(bytes).map(|(_, header)| header).map_err(cut_off),
            _ => Err(Failure::unsupported(format!(
                "unknown version of QCOW: found {version}, expected 2 or 3"
            ))),
        }
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T>;

fn version(i: &[u8]) -> Parsed<'_, u32> {
    let (i, _magic) = take(4_usize)(i)?;
    be_u32(i)
}

fn fields(i: &[u8]) -> Parsed<'_, Header> {
    let (i, _magic) = take(4_usize)(i)?;
    let (i, version) = be_u32(i)?;
    let (i, backing_file_offset) = be_u64(i)?;
    let (i, backing_file_size) = be_u32(i)?;
    let (i, cluster_bits) = be_u32(i)?;
    let (i, size) = be_u64(i)?;
    let (i, crypt_method) = be_u32(i)?;
    let (i, l1_size) = be_u32(i)?;
    let (i, l1_table_offset) = be_u64(i)?;
    let (i, refcount_table_offset) = be_u64(i)?;
    let (i, refcount_table_clusters) = be_u32(i)?;
    let (i, nb_snapshots) = be_u32(i)?;
    let (i, snapshots_offset) = be_u64(i)?;
    let (i, (incompatible_features, autoclear_features, header_length, compression_type)) =
        if version == 2 { (i, (0, 0, V2_LENGTH, 0)) } else { version_3_fields(i)? };
    let header = Header {
        version,
        backing_file_offset,
        backing_file_size,
        cluster_bits,
        size,
        crypt_method,
        l1_size,
        l1_table_offset,
        refcount_table_offset,
        refcount_table_clusters,
        nb_snapshots,
        snapshots_offset,
        incompatible_features,
        autoclear_features,
        header_length,
        compression_type,
    };
    Ok((i, header))
}

fn version_3_fields(i: &[u8]) -> Parsed<'_, (u64, u64, u32, u8)> {
    let (i, incompatible_features) = be_u64(i)?;
    let (i, _compatible_features) = be_u64(i)?;
    let (i, autoclear_features) = be_u64(i)?;
    let (i, _refcount_order) = be_u32(i)?;
    let (i, header_length) = be_u32(i)?;
    let (i, compression_type) = if header_length > V3_LENGTH { be_u8(i)? } else { (i, 0) };
    Ok((i, (incompatible_features, autoclear_features, header_length, compression_type)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use extents::failure::Status;
    use image_builders::qcow2::Image;

    #[test]
    fn every_field_is_where_the_specification_puts_it() {
        let mut image = Image::new("a", 5 << 20).cluster_bits(12).over("below", Some("raw"));
        image.zstd = true;
        image.snapshots = 2;
        image.crypt_method = 1;
        let expected = Header {
            version: 3,
            backing_file_offset: 112 + 56 + 16 + 8,
            backing_file_size: 5,
            cluster_bits: 12,
            size: 5 << 20,
            crypt_method: 1,
            l1_size: 3,
            l1_table_offset: 3 << 12,
            refcount_table_offset: 1 << 12,
            refcount_table_clusters: 1,
            nb_snapshots: 2,
            snapshots_offset: 2 << 12,
            incompatible_features: incompatible::COMPRESSION_TYPE,
            autoclear_features: 0,
            header_length: 112,
            compression_type: 1,
        };
        assert_eq!(Header::parse(&image.build().bytes[..HEADER_BYTES]), Ok(expected));
    }

    #[test]
    fn version_2_has_no_feature_bits() {
        let mut image = Image::new("a", 1 << 20);
        image.version = 2;
        let mut bytes = image.build().bytes;
        bytes[72..].fill(0xFF);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.incompatible_features, header.header_length, header.compression_type), (0, 72, 0));
    }

    #[test]
    fn a_short_header_of_version_3_ends_before_the_compression_type() {
        let mut built = Image::new("a", 1 << 20).build();
        built.put_u32(100, 104);
        built.put(104, &[7]);
        assert_eq!(Header::parse(&built.bytes[..104]).unwrap().compression_type, 0);
    }

    #[test]
    fn what_is_no_whole_header_is_damage_and_other_versions_are_not() {
        let built = Image::new("a", 1 << 20).build();
        for length in 0..105 {
            assert_eq!(
                Header::parse(&built.bytes[..length]).unwrap_err().status(),
                Status::Damaged,
                "{length}"
            );
        }
        for (version, status) in [(0, 3), (1, 4), (4, 4), (u32::MAX, 4)] {
            let mut built = built.clone();
            built.put_u32(4, version);
            assert_eq!(Header::parse(&built.bytes).unwrap_err().status() as u8, status, "version {version}");
        }
    }
}
