//! The rules by which xapi creates the objects of an import: what breaks one fails in the middle of a restore.
//!
//! Source: xapi's `import.ml` (the handlers of VM and VBD), `xapi_vbd.ml` and `xapi_vif_helpers.ml`, `create`. Rules that
//! depend on the host, such as which MAC seeds it knows, are not here.

use std::collections::BTreeMap;

use crate::ova::objects::{Objects, enum_is, text_of};
use crate::ova::userdevice::Userdevice;
use crate::ova::value::Value;

/// Types of VDIs that no VBD may have.
const NO_DISKS: [&str; 3] = ["ha_statefile", "redo_log", "cbt_metadata"];

/// Types of machines that have no emulator, and so no drive that is empty.
const WITHOUT_QEMU: [&str; 3] = ["pv", "pvh", "pv_in_pvh"];

impl Objects<'_> {
    /// Objects to what cannot be created.
    pub(crate) fn check_creation(&self, objections: &mut Vec<String>) {
        for (id, vm) in self.of_class("VM") {
            let memory = text_of(vm, "suspend_VDI");
            if enum_is(vm, "power_state", "Suspended") && self.find("VDI", memory).is_none() {
                objections
                    .push(format!("VM {id} is suspended: suspend_VDI {memory:?} is not among the objects"));
            }
        }
        for (id, _) in self.of_class("VDI").filter(|(_, vdi)| enum_is(vdi, "type", "cbt_metadata")) {
            objections.push(format!("VDI {id} is of type cbt_metadata, which cannot be created"));
        }
        let mut places = BTreeMap::new();
        for (id, vbd) in self.of_class("VBD") {
            objections.extend(self.wrong_vbd(vbd).map(|what| format!("VBD {id}: {what}")));
            let name = text_of(vbd, "userdevice");
            match Userdevice::parse(name) {
                Some(Userdevice::Anywhere) => {}
                Some(place) => clash(&mut places, ("VBD", id, vbd), place, name, objections),
                None => objections.push(format!(
                    "VBD {id}: userdevice {name:?} is none: expected a number, a name such as xvda, or autodetect"
                )),
            }
        }
        let mut numbers = BTreeMap::new();
        for (id, vif) in self.of_class("VIF") {
            let name = text_of(vif, "device");
            match name.parse::<u64>().ok().filter(|_| name.bytes().all(|c| c.is_ascii_digit())) {
                Some(number) => clash(&mut numbers, ("VIF", id, vif), number, name, objections),
                None => objections.push(format!("VIF {id}: device {name:?} is none: expected a number")),
            }
            let address = text_of(vif, "MAC");
            if !address.is_empty() && !is_mac(address) {
                objections.push(format!(
                    "VIF {id}: MAC {address:?} is none: expected six groups of two hexadecimal digits"
                ));
            }
        }
    }

    /// What is wrong with a VBD by itself and with its VDI.
    fn wrong_vbd(&self, vbd: &Value<'_>) -> Option<String> {
        let is_cd = enum_is(vbd, "type", "CD");
        let is_empty = is_set(vbd, "empty");
        if is_cd && enum_is(vbd, "mode", "RW") {
            return Some("mode RW of a CD: expected RO".to_owned());
        }
        if is_empty && enum_is(vbd, "type", "Disk") {
            return Some("a disk is empty: expected a CD".to_owned());
        }
        let id = text_of(vbd, "VDI");
        let Some(vdi) = self.find("VDI", id) else {
            let vm = self.find("VM", text_of(vbd, "VM"));
            let may_be_empty = is_cd && vm.is_none_or(has_qemu);
            return (is_set(vbd, "currently_attached") && !may_be_empty)
                .then(|| format!("is attached: VDI {id:?} is not among the objects"));
        };
        if self.is_iso(vdi) || is_empty {
            // The host looks for an image of the same name, and ejects the disc where it has none.
            return None;
        }
        if is_cd {
            return Some(format!("VDI {id} of a CD is in an SR that is not of iso"));
        }
        if enum_is(vbd, "mode", "RW") && is_set(vdi, "read_only") {
            return Some(format!("mode RW of VDI {id}, which is read-only: expected RO"));
        }
        let kind = NO_DISKS.into_iter().find(|kind| enum_is(vdi, "type", kind))?;
        Some(format!("VDI {id} is of type {kind}: expected one of a disk"))
    }
}

/// Objects to the second device of a machine in one place.
fn clash<'a, P: Ord>(
    taken: &mut BTreeMap<(&'a str, P), &'a str>,
    (class, id, record): (&str, &'a str, &'a Value<'_>),
    place: P,
    name: &str,
    objections: &mut Vec<String>,
) {
    let vm = text_of(record, "VM");
    if let Some(first) = taken.insert((vm, place), id) {
        objections.push(format!("{class} {id}: device {name:?} of VM {vm} is that of {class} {first}"));
    }
}

/// Whether a machine has an emulator, as far as the metadata tells.
fn has_qemu(vm: &Value<'_>) -> bool {
    let is_hvm = enum_is(vm, "domain_type", "hvm");
    let is_other = WITHOUT_QEMU.into_iter().any(|kind| enum_is(vm, "domain_type", kind));
    is_hvm || !is_other && !text_of(vm, "HVM_boot_policy").is_empty()
}

fn is_set(record: &Value<'_>, field: &str) -> bool {
    matches!(record.field(field), Some(Value::Boolean(true)))
}

fn is_mac(text: &str) -> bool {
    let is_group = |group: &str| group.len() == 2 && group.bytes().all(|c| c.is_ascii_hexdigit());
    text.split(':').count() == 6 && text.split(':').all(is_group)
}
