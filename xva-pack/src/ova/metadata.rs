//! What the importer takes from the metadata: which disks follow in the archive, in which order, and how long each is.
//!
//! Source: xapi's `importexport.ml`, `version_of_rpc`.

use extents::failure::Failure;

use crate::ova::disk::Disk;
use crate::ova::objects::Objects;
use crate::ova::parser;
use crate::ova::value::Value;

/// Name of the member: exactly this, and the first of the archive.
pub(crate) const FILE_NAME: &str = "ova.xml";

/// Bytes of metadata that are read. A VM with thirty snapshots has less than 1 MiB, and up to 128 KiB more for each
/// that holds UEFI variables.
pub(crate) const MAX_BYTES: usize = 8 << 20;

/// The `export_vsn` to write: a checksum follows each block, and nothing the last disk.
pub(crate) const EXPORT_VSN: i64 = 2;

/// The `export_vsn` of an archive in which a table of checksums follows the last disk.
pub(crate) const EXPORT_VSN_WITH_TABLE: i64 = 1;

/// The members of `version` that must be there, beside `export_vsn`.
const VERSION_MEMBERS: [&str; 7] =
    ["hostname", "date", "product_version", "product_brand", "build_number", "xapi_major", "xapi_minor"];

/// What the metadata says about the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ova {
    /// How blocks are checked; 0 (also a missing one) cannot be imported.
    pub export_vsn: i64,
    /// All disks, in byte order of their prefixes: the order in which the importer reads them.
    pub disks: Vec<Disk>,
    /// Sentences that say why the importer would refuse the metadata although the disks are known.
    pub objections: Vec<String>,
    /// Sentences about fields that records lack, or have of another type, and that only some releases of xapi require.
    pub missing_fields: Vec<String>,
}

impl Ova {
    /// The disks whose blocks are expected, in the order in which they are.
    pub(crate) fn streamed(&self) -> impl Iterator<Item = &Disk> {
        self.disks.iter().filter(|disk| disk.streamed)
    }
}

/// Reads metadata as the importer does.
///
/// Refused (status 3): what is not one XML-RPC value with a `version` and `objects`, and a disk whose size cannot be
/// known. Status 4: more than 8 MiB or too many values. What else the importer would refuse is listed in
/// [`Ova::objections`].
pub fn read(bytes: &[u8]) -> Result<Ova, Failure> {
    if bytes.len() > MAX_BYTES {
        return Err(Failure::unsupported(format!(
            "too large: found {} bytes, expected at most {MAX_BYTES}",
            bytes.len()
        )));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Failure::damaged(format!("is not UTF-8 at byte {}", error.valid_up_to())))?;
    let header = parser::parse(text)?;
    let mut objections = Vec::new();
    let Some(version @ Value::Struct(_)) = header.member("version") else {
        return Err(Failure::damaged("has no version: expected a struct of that name"));
    };
    for member in VERSION_MEMBERS {
        if version.field(member).is_none() {
            objections.push(format!("version: {member} is missing"));
        }
    }
    let export_vsn = version.field("export_vsn").and_then(Value::as_integer).unwrap_or(0);
    if export_vsn < EXPORT_VSN_WITH_TABLE {
        objections.push(format!("version: export_vsn is {export_vsn} or missing: expected {EXPORT_VSN}"));
    }
    let Some(Value::Array(objects)) = header.member("objects") else {
        return Err(Failure::damaged("has no objects: expected an array of that name"));
    };
    let mut missing_fields = Vec::new();
    let objects = Objects::index(objects, &mut objections, &mut missing_fields);
    let disks = objects.disks(&mut objections)?;
    objects.check_vifs(&mut objections);
    objects.check_creation(&mut objections);
    Ok(Ova { export_vsn, disks, objections, missing_fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[(&str, &str)]) -> String {
        let members = fields
            .iter()
            .map(|(name, value)| format!("<member><name>{name}</name><value>{value}</value></member>"));
        format!("<struct>{}</struct>", members.collect::<String>())
    }

    fn object(class: &str, id: &str, fields: &[(&str, &str)]) -> String {
        let object = record(&[("Class", class), ("ID", id), ("snapshot", &record(fields))]);
        format!("<value>{object}</value>")
    }

    fn document(objects: &str) -> String {
        let objects = format!("<array><data>{objects}</data></array>");
        let header = record(&[("version", &record(&[("export_vsn", "2")])), ("Objects", &objects)]);
        format!("<value>{header}</value>")
    }

    fn disk(id: &str, sr: &str, size: &str) -> String {
        object("VDI", id, &[("SR", sr), ("virtual_size", size), ("name_label", "a &amp; b")])
    }

    fn vbd(id: &str, kind: &str, vdi: &str) -> String {
        object("VBD", id, &[("VM", "Ref:0"), ("type", kind), ("VDI", vdi)])
    }

    #[test]
    fn disks_are_in_byte_order_and_streamed_when_a_vbd_that_is_no_cd_refers_to_them() {
        let objects = [
            object("VM", "Ref:0", &[]),
            object("SR", "Ref:1", &[("content_type", "user")]),
            object("SR", "Ref:9", &[("content_type", "iso")]),
            disk("Ref:2", "Ref:1", "<int>1048576</int>"),
            disk("Ref:10", "Ref:1", "2097152"),
            disk("Ref:3", "Ref:9", "512"),
            disk("Ref:4", "Ref:1", "512"),
            disk("Ref:5", "Ref:1", "1"),
            object("VDI", "Ref:6", &[("SR", "Ref:9"), ("virtual_size", "7"), ("type", "Suspend")]),
            vbd("Ref:20", "Disk", "Ref:2"),
            vbd("Ref:21", "disk", "Ref:10"),
            vbd("Ref:22", "Disk", "Ref:3"),
            vbd("Ref:23", "cd", "Ref:4"),
            vbd("Ref:24", "Floppy", "Ref:2"),
        ];
        let ova = read(document(&objects.concat()).as_bytes()).unwrap();
        assert_eq!(ova.export_vsn, 2);
        let disks: Vec<_> = ova.disks.iter().map(|d| (&*d.prefix, d.virtual_size, d.streamed)).collect();
        assert_eq!(
            disks,
            [
                ("Ref:10", 2_097_152, true),
                ("Ref:2", 1_048_576, true),
                ("Ref:3", 512, false),
                ("Ref:4", 512, false),
                ("Ref:5", 1, false),
                ("Ref:6", 7, true),
            ]
        );
        assert_eq!(ova.disks[0].name, "a & b");
        assert_eq!(ova.streamed().count(), 3);
    }

    #[test]
    fn references_to_objects_that_are_not_there_are_objections() {
        let objects = [
            disk("Ref:2", "Ref:1", "512"),
            vbd("Ref:3", "Disk", "Ref:4"),
            disk("Ref:2", "Ref:1", "5"),
            object("VIF", "Ref:5", &[("VM", "Ref:2"), ("network", "Ref:6")]),
        ];
        let ova = read(document(&objects.concat()).as_bytes()).unwrap();
        let objections = ova.objections;
        for expected in [
            "version: hostname is missing",
            "two objects have the id Ref:2",
            "VDI Ref:2: SR \"Ref:1\" is not among the objects",
            "VBD Ref:3: VM \"Ref:0\" is not among the objects",
            "VBD Ref:3: VDI \"Ref:4\" is not among the objects",
            "VIF Ref:5: VM \"Ref:2\" is not among the objects",
            "VIF Ref:5: network \"Ref:6\" is not among the objects",
        ] {
            assert!(objections.iter().any(|found| found == expected), "{expected}: {objections:#?}");
        }
    }

    #[test]
    fn fields_that_every_release_requires_are_objections_and_others_remarks() {
        let objects =
            [disk("Ref:2", "Ref:1", "512"), object("SR", "Ref:1", &[]), vbd("Ref:3", "Disk", "Ref:2")];
        let ova = read(document(&objects.concat()).as_bytes()).unwrap();
        assert!(ova.objections.contains(&"VDI Ref:2: field uuid is missing".to_owned()));
        assert_eq!(
            ova.missing_fields,
            [
                "SR Ref:1: field uuid is missing; xapi refuses records without it",
                "VBD Ref:3: field device is missing; xapi 1.110 to 1.249 refuses records without it"
            ]
        );
    }

    #[test]
    fn metadata_that_is_too_long_is_not_looked_into() {
        let status = |length| read(&vec![b' '; length]).map_err(|failure| failure.status() as u8);
        assert_eq!(status(MAX_BYTES), Err(3));
        assert_eq!(status(MAX_BYTES + 1), Err(4));
    }

    #[test]
    fn a_disk_without_a_size_is_refused() {
        for size in ["", "-1", "<double>5</double>", "9223372036854775808"] {
            let refused = read(document(&disk("Ref:2", "Ref:1", size)).as_bytes()).unwrap_err();
            assert_eq!(refused.to_string(), "VDI Ref:2: has no virtual_size: expected bytes", "{size}");
        }
        assert!(read(b"<value><struct/></value>").is_err());
        assert!(read(b"\xff").is_err());
    }
}
