//! The fields that hold one of a few words: the importer reads no record with another.
//!
//! Source: `ocaml/idl/datamodel*.ml` of xen-api at HEAD (2026); earlier releases have no others. Here are the fields that
//! some release requires, and the type of the machine, which all writers set.

use crate::ova::value::Value;

/// Classes, their fields, and what these may say; the importer ignores the case.
const ENUMS: [(&str, &str, &[&str]); 8] = [
    ("VM", "power_state", &["Halted", "Paused", "Running", "Suspended"]),
    ("VM", "actions_after_shutdown", &["destroy", "restart"]),
    ("VM", "actions_after_reboot", &["destroy", "restart"]),
    (
        "VM",
        "actions_after_crash",
        &["destroy", "coredump_and_destroy", "restart", "coredump_and_restart", "preserve", "rename_restart"],
    ),
    ("VM", "domain_type", &["hvm", "pv", "pv_in_pvh", "pvh", "unspecified"]),
    ("VBD", "mode", &["RO", "RW"]),
    ("VBD", "type", &["CD", "Disk", "Floppy"]),
    (
        "VDI",
        "type",
        &[
            "system",
            "user",
            "ephemeral",
            "suspend",
            "crashdump",
            "ha_statefile",
            "metadata",
            "redo_log",
            "rrd",
            "pvs_cache",
            "cbt_metadata",
        ],
    ),
];

/// The first field of a record of `class` that says none of its words.
pub(crate) fn objection(class: &str, record: &Value<'_>) -> Option<String> {
    ENUMS.iter().filter(|(name, ..)| *name == class).find_map(|(_, field, words)| {
        let found = record.field(field)?.as_text()?;
        let is_one = words.iter().any(|word| word.eq_ignore_ascii_case(found));
        (!is_one).then(|| format!("field {field} is {found:?}: expected {}", words.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_only_where_they_are() {
        let record = |word: &'static str| Value::Struct(vec![("mode".into(), Value::text(word))]);
        assert_eq!(objection("VBD", &record("ro")), None);
        assert_eq!(objection("VBD", &Value::Struct(Vec::new())), None);
        assert_eq!(objection("VIF", &record("x")), None);
        assert_eq!(objection("VBD", &record("")).unwrap(), "field mode is \"\": expected RO, RW");
    }
}
