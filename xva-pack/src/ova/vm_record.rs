//! The record of the VM itself: every field that some release from 1.110 on requires, and what can be chosen.

use crate::ova::records::{empty, map, no, null, record, text};
use crate::ova::value::Value;
use crate::ova::vm::{Firmware, Vm};

/// `memory` is in bytes; `platform` is the whole map of that name.
pub(crate) fn vm(vm: &Vm, memory: i64, platform: &[(String, String)], uuid: &str) -> Value<'static> {
    let memory = || Value::number(memory);
    let firmware = match vm.firmware {
        Firmware::Bios => "bios",
        Firmware::Uefi => "uefi",
    };
    record([
        ("uuid", text(uuid)),
        ("name_label", text(&vm.name)),
        ("name_description", text(&vm.description)),
        ("user_version", Value::number(1)),
        ("is_a_template", Value::Boolean(vm.template)),
        ("is_control_domain", no()),
        ("power_state", text("Halted")),
        ("domid", Value::number(-1)),
        ("domarch", empty()),
        ("domain_type", text("hvm")),
        ("resident_on", null()),
        ("affinity", null()),
        ("suspend_VDI", null()),
        ("metrics", null()),
        ("guest_metrics", null()),
        // Without this member the importer takes the machine for one of before 2010, and rewrites its memory limits.
        ("parent", null()),
        ("snapshot_of", null()),
        ("memory_static_max", memory()),
        ("memory_dynamic_max", memory()),
        ("memory_dynamic_min", memory()),
        ("memory_static_min", memory()),
        ("VCPUs_params", map()),
        ("VCPUs_max", Value::number(vm.vcpus)),
        ("VCPUs_at_startup", Value::number(vm.vcpus)),
        ("actions_after_shutdown", text("destroy")),
        ("actions_after_reboot", text("restart")),
        ("actions_after_crash", text("restart")),
        ("PV_bootloader", empty()),
        ("PV_kernel", empty()),
        ("PV_ramdisk", empty()),
        ("PV_args", empty()),
        ("PV_bootloader_args", empty()),
        ("PV_legacy_args", empty()),
        // Not empty: a machine of its own, not a paravirtual one.
        ("HVM_boot_policy", text("BIOS order")),
        // Disk, CD, network.
        ("HVM_boot_params", record([("order", text("cdn")), ("firmware", text(firmware))])),
        ("platform", map_of(platform.iter().map(|(key, value)| (&**key, &**value)))),
        ("PCI_bus", empty()),
        ("other_config", map_of(vm.other_config.iter().map(|setting| (setting.key(), setting.value())))),
        ("last_boot_CPU_flags", map()),
        ("recommendations", empty()),
        ("has_vendor_device", no()),
        // Without this member releases differ in what they put there.
        ("generation_id", text(vm.generation_id.as_str())),
        ("tags", Value::Array(vm.tags.iter().map(|tag| text(tag)).collect())),
    ])
}

fn map_of<'e>(entries: impl Iterator<Item = (&'e str, &'e str)>) -> Value<'static> {
    Value::Struct(entries.map(|(key, value)| (key.to_owned().into(), text(value))).collect())
}
