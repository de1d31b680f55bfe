//! The objects of the metadata, looked up by their ids, and the disks among them.
//!
//! Source: xapi's `import.ml`, `non_cdrom_vdis`.

use std::collections::{BTreeMap, BTreeSet};

use extents::failure::Failure;

use crate::ova::disk::Disk;
use crate::ova::enums;
use crate::ova::required;
use crate::ova::value::Value;

/// The records of the document by what the importer looks them up by.
pub(crate) struct Objects<'a> {
    /// Class and record of the first object with each id.
    by_id: BTreeMap<&'a str, (&'a str, &'a Value<'a>)>,
}

impl<'a> Objects<'a> {
    /// Sorts the objects; what is wrong with one goes into the lists.
    pub(crate) fn index(
        objects: &'a [Value<'a>],
        objections: &mut Vec<String>,
        missing_fields: &mut Vec<String>,
    ) -> Self {
        let mut by_id = BTreeMap::new();
        for object in objects {
            let text = |name| object.member(name).and_then(Value::as_text);
            let (Some(class), Some(id), Some(snapshot)) =
                (text("class"), text("id"), object.member("snapshot"))
            else {
                objections.push("an object lacks its class, id or snapshot".to_owned());
                continue;
            };
            match required::objection(class, snapshot).or_else(|| enums::objection(class, snapshot)) {
                // The importer makes no SR, and people who write metadata leave this record all but empty.
                Some(what) if class == "SR" => {
                    missing_fields.push(format!("SR {id}: {what}; xapi refuses records without it"));
                }
                Some(what) => objections.push(format!("{class} {id}: {what}")),
                None => {}
            }
            if let Some(what) = required::old_objection(class, snapshot) {
                missing_fields.push(format!("{class} {id}: {what}"));
            }
            if by_id.contains_key(id) {
                objections.push(format!("two objects have the id {id}"));
            } else {
                by_id.insert(id, (class, snapshot));
            }
        }
        Objects { by_id }
    }

    /// The record of the object `id`, if it is of `class`.
    pub(crate) fn find(&self, class: &str, id: &str) -> Option<&'a Value<'a>> {
        self.by_id.get(id).filter(|(found, _)| *found == class).map(|&(_, record)| record)
    }

    pub(crate) fn of_class(&self, class: &str) -> impl Iterator<Item = (&'a str, &'a Value<'a>)> {
        self.by_id
            .iter()
            .filter(move |(_, (found, _))| *found == class)
            .map(|(&id, &(_, record))| (id, record))
    }

    /// The VDIs in byte order of their ids, which is that of the map.
    pub(crate) fn disks(&self, objections: &mut Vec<String>) -> Result<Vec<Disk>, Failure> {
        let attached = self.attached(objections);
        self.of_class("VDI")
            .map(|(id, vdi)| {
                let size = vdi.field("virtual_size").and_then(Value::as_integer);
                let Some(virtual_size) = size.and_then(|size| u64::try_from(size).ok()) else {
                    return Err(Failure::damaged(format!("VDI {id}: has no virtual_size: expected bytes")));
                };
                let suspend = enum_is(vdi, "type", "suspend");
                let sr = text_of(vdi, "SR");
                if self.find("SR", sr).is_none() {
                    objections.push(format!("VDI {id}: SR {sr:?} is not among the objects"));
                }
                Ok(Disk {
                    prefix: id.to_owned(),
                    virtual_size,
                    name: text_of(vdi, "name_label").to_owned(),
                    streamed: suspend || attached.contains(id) && !self.is_iso(vdi),
                })
            })
            .collect()
    }

    /// Whether a VDI is an image of a disc, which the importer looks for on the host.
    pub(crate) fn is_iso(&self, vdi: &Value<'_>) -> bool {
        self.find("SR", text_of(vdi, "SR")).is_some_and(|sr| text_of(sr, "content_type") == "iso")
    }

    /// Objects to VIFs of no machine or no network.
    pub(crate) fn check_vifs(&self, objections: &mut Vec<String>) {
        for (id, vif) in self.of_class("VIF") {
            for (field, class) in [("VM", "VM"), ("network", "network")] {
                let found = text_of(vif, field);
                if self.find(class, found).is_none() {
                    objections.push(format!("VIF {id}: {field} {found:?} is not among the objects"));
                }
            }
        }
    }

    /// Ids of the VDIs that a VBD other than a CD refers to.
    fn attached(&self, objections: &mut Vec<String>) -> BTreeSet<&'a str> {
        let mut attached = BTreeSet::new();
        for (id, vbd) in self.of_class("VBD") {
            let vm = text_of(vbd, "VM");
            if self.find("VM", vm).is_none() {
                objections.push(format!("VBD {id}: VM {vm:?} is not among the objects"));
            }
            if enum_is(vbd, "type", "CD") {
                continue;
            }
            let vdi = text_of(vbd, "VDI");
            // A floppy becomes an empty drive.
            if self.find("VDI", vdi).is_none() && !enum_is(vbd, "type", "Floppy") {
                objections.push(format!("VBD {id}: VDI {vdi:?} is not among the objects"));
            }
            attached.insert(vdi);
        }
        attached
    }
}

/// The text of a field; empty if the record has no such text, as a sentence then shows.
pub(crate) fn text_of<'v>(record: &'v Value<'_>, field: &str) -> &'v str {
    record.field(field).and_then(Value::as_text).unwrap_or_default()
}

/// The importer compares enums without case.
pub(crate) fn enum_is(record: &Value<'_>, field: &str, wanted: &str) -> bool {
    record.field(field).and_then(Value::as_text).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}
