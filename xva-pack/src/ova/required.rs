//! The fields without which xapi refuses a record: those of its data model that have no default.
//!
//! Source: `ocaml/idl/datamodel*.ml` of xen-api at 23.19, 25.7 and HEAD (2026), where they are the same, and at 1.110,
//! 1.249.34 and 22.3, which need more (`tests/ova-fields.tsv`): an archive that lacks those is still good for a new
//! host.

use crate::ova::field_type::FieldType::{self, Bool, Int, Map, Set, Text, Time};
use crate::ova::value::Value;

/// Of each class that the importer reads, the fields that every release requires.
const REQUIRED: [(&str, &[(&str, FieldType)]); 8] = [
    (
        "VM",
        &[
            ("uuid", Text),
            ("user_version", Int),
            ("is_a_template", Bool),
            ("resident_on", Text),
            ("affinity", Text),
            ("memory_static_max", Int),
            ("memory_dynamic_max", Int),
            ("memory_dynamic_min", Int),
            ("memory_static_min", Int),
            ("VCPUs_params", Map),
            ("VCPUs_max", Int),
            ("VCPUs_at_startup", Int),
            ("actions_after_shutdown", Text),
            ("actions_after_reboot", Text),
            ("actions_after_crash", Text),
            ("PV_bootloader", Text),
            ("PV_kernel", Text),
            ("PV_ramdisk", Text),
            ("PV_args", Text),
            ("PV_bootloader_args", Text),
            ("PV_legacy_args", Text),
            ("HVM_boot_policy", Text),
            ("HVM_boot_params", Map),
            ("platform", Map),
            ("PCI_bus", Text),
            ("other_config", Map),
            ("domid", Int),
            ("domarch", Text),
            ("is_control_domain", Bool),
            ("metrics", Text),
            ("guest_metrics", Text),
            ("recommendations", Text),
        ],
    ),
    (
        "VBD",
        &[
            ("uuid", Text),
            ("VM", Text),
            ("VDI", Text),
            ("userdevice", Text),
            ("bootable", Bool),
            ("mode", Text),
            ("type", Text),
            ("storage_lock", Bool),
            ("empty", Bool),
            ("other_config", Map),
            ("status_code", Int),
            ("status_detail", Text),
            ("runtime_properties", Map),
            ("qos_algorithm_type", Text),
            ("qos_algorithm_params", Map),
            ("qos_supported_algorithms", Set),
        ],
    ),
    (
        "VDI",
        &[
            ("uuid", Text),
            ("SR", Text),
            ("virtual_size", Int),
            ("physical_utilisation", Int),
            ("type", Text),
            ("sharable", Bool),
            ("read_only", Bool),
            ("other_config", Map),
            ("storage_lock", Bool),
            ("managed", Bool),
            ("missing", Bool),
            ("parent", Text),
        ],
    ),
    (
        "SR",
        &[
            ("uuid", Text),
            ("virtual_allocation", Int),
            ("physical_utilisation", Int),
            ("physical_size", Int),
            ("type", Text),
            ("content_type", Text),
            ("shared", Bool),
            ("other_config", Map),
        ],
    ),
    (
        "VIF",
        &[
            ("uuid", Text),
            ("device", Text),
            ("network", Text),
            ("VM", Text),
            ("MAC", Text),
            ("MTU", Int),
            ("other_config", Map),
            ("status_code", Int),
            ("status_detail", Text),
            ("runtime_properties", Map),
            ("qos_algorithm_type", Text),
            ("qos_algorithm_params", Map),
            ("qos_supported_algorithms", Set),
        ],
    ),
    ("network", &[("uuid", Text), ("other_config", Map)]),
    (
        "VM_metrics",
        &[
            ("uuid", Text),
            ("memory_actual", Int),
            ("VCPUs_number", Int),
            ("VCPUs_CPU", Map),
            ("VCPUs_params", Map),
            ("VCPUs_flags", Map),
            ("state", Set),
            ("start_time", Time),
            ("install_time", Time),
            ("last_updated", Time),
        ],
    ),
    (
        "VM_guest_metrics",
        &[
            ("uuid", Text),
            ("os_version", Map),
            ("PV_drivers_version", Map),
            ("PV_drivers_up_to_date", Bool),
            ("networks", Map),
            ("other", Map),
            ("last_updated", Time),
        ],
    ),
];

/// Releases that require a field to which later ones give a default.
const UNTIL_1_249: &str = "1.110 to 1.249";
/// More releases that require a field to which later ones give a default.
const UNTIL_22_3: &str = "1.110 to 22.3";

/// Of each class, the fields that only some releases require, and which.
const REQUIRED_ONCE: [(&str, &str, FieldType, &str); 11] = [
    ("VM", "power_state", Text, UNTIL_1_249),
    ("VM", "suspend_VDI", Text, UNTIL_1_249),
    ("VM", "last_boot_CPU_flags", Map, UNTIL_1_249),
    ("VBD", "device", Text, UNTIL_1_249),
    ("VBD", "currently_attached", Bool, UNTIL_1_249),
    ("VBD", "metrics", Text, UNTIL_22_3),
    ("VIF", "currently_attached", Bool, UNTIL_1_249),
    ("VIF", "metrics", Text, UNTIL_22_3),
    ("VM_metrics", "VCPUs_utilisation", Map, UNTIL_22_3),
    ("VM_guest_metrics", "memory", Map, UNTIL_22_3),
    ("VM_guest_metrics", "disks", Map, UNTIL_22_3),
];

/// What is wrong with a record of `class` for every release: the first field that is missing or of another type.
pub(crate) fn objection(class: &str, record: &Value<'_>) -> Option<String> {
    let (_, fields) = REQUIRED.iter().find(|(name, _)| *name == class)?;
    fields.iter().find_map(|&(name, field_type)| wrong(record, name, field_type))
}

/// What is wrong with a record of `class` for some releases only, and for which.
pub(crate) fn old_objection(class: &str, record: &Value<'_>) -> Option<String> {
    REQUIRED_ONCE.iter().filter(|(name, ..)| *name == class).find_map(|&(_, name, field_type, releases)| {
        wrong(record, name, field_type)
            .map(|what| format!("{what}; xapi {releases} refuses records without it"))
    })
}

fn wrong(record: &Value<'_>, name: &str, field_type: FieldType) -> Option<String> {
    match record.field(name) {
        None => Some(format!("field {name} is missing")),
        Some(value) if field_type.fits(value) => None,
        Some(_) => Some(format!("field {name} has the wrong type: expected {}", field_type.describe())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Class, field, type, and for each release R (required), d (has a default) or - (unknown).
    const FIELDS: &str = include_str!("../../tests/ova-fields.tsv");

    #[test]
    fn the_fields_are_those_that_every_release_or_some_require() {
        let (mut every, mut some) = (Vec::new(), Vec::new());
        for line in FIELDS.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let field_type = match columns[2] {
                "Int" => Int,
                "Bool" => Bool,
                "DateTime" => Time,
                "Map" => Map,
                "Set" => Set,
                _ => Text,
            };
            match columns[3..].concat().as_str() {
                "RRRRRR" => every.push((columns[0], columns[1], field_type)),
                "RRRddd" => some.push((columns[0], columns[1], field_type, UNTIL_22_3)),
                "RRdddd" => some.push((columns[0], columns[1], field_type, UNTIL_1_249)),
                other => panic!("{line}: {other}"),
            }
        }
        let listed =
            REQUIRED.iter().flat_map(|(class, fields)| fields.iter().map(move |(f, k)| (*class, *f, *k)));
        assert_eq!(listed.collect::<Vec<_>>(), every);
        assert_eq!(REQUIRED_ONCE.to_vec(), some);
    }
}
