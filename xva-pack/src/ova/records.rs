//! The records of the smallest metadata, class by class: every field that some release from 1.110 on requires.

use crate::ova::metadata::EXPORT_VSN;
use crate::ova::value::Value;
use crate::ova::vm::{Firmware, Vm};
use crate::ova::vm_disk::VmDisk;

/// A reference to no object.
const NULL: &str = "OpaqueRef:NULL";

/// A release that every importer is as new as: it compares these two numbers with its own.
const XAPI_VERSION: (u32, u32) = (1, 0);

type Member = (&'static str, Value<'static>);

fn record(members: impl IntoIterator<Item = Member>) -> Value<'static> {
    Value::Struct(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn text(text: &str) -> Value<'static> {
    Value::text(text.to_owned())
}

fn null() -> Value<'static> {
    text(NULL)
}

fn empty() -> Value<'static> {
    text("")
}

fn no() -> Value<'static> {
    Value::Boolean(false)
}

fn map() -> Value<'static> {
    record([])
}

fn zero() -> Value<'static> {
    Value::number(0)
}

/// What VBDs and VIFs have in common.
fn device_members() -> [Member; 9] {
    [
        ("other_config", map()),
        ("status_code", zero()),
        ("status_detail", empty()),
        ("runtime_properties", map()),
        ("qos_algorithm_type", empty()),
        ("qos_algorithm_params", map()),
        ("qos_supported_algorithms", Value::Array(Vec::new())),
        ("currently_attached", no()),
        ("metrics", null()),
    ]
}

/// The document around the objects.
pub(crate) fn header(objects: Vec<Value<'static>>) -> Value<'static> {
    let version = record([
        ("hostname", text("localhost")),
        ("date", text("19700101T00:00:00Z")),
        ("product_version", text(env!("CARGO_PKG_VERSION"))),
        ("product_brand", text("ova-xml")),
        ("build_number", text(env!("CARGO_PKG_VERSION"))),
        ("xapi_major", Value::number(XAPI_VERSION.0)),
        ("xapi_minor", Value::number(XAPI_VERSION.1)),
        ("export_vsn", Value::number(EXPORT_VSN)),
    ]);
    record([("version", version), ("objects", Value::Array(objects))])
}

pub(crate) fn object(class: &str, id: &str, snapshot: Value<'static>) -> Value<'static> {
    record([("class", text(class)), ("id", text(id)), ("snapshot", snapshot)])
}

/// `memory` is in bytes.
pub(crate) fn vm(vm: &Vm, memory: i64, uuid: &str) -> Value<'static> {
    let memory = || Value::number(memory);
    let (firmware, device_model) = match vm.firmware {
        Firmware::Bios => ("bios", "qemu-upstream-compat"),
        Firmware::Uefi => ("uefi", "qemu-upstream-uefi"),
    };
    let mut platform: Vec<Member> =
        ["acpi", "apic", "nx", "pae", "viridian"].map(|name| (name, text("true"))).into();
    platform.push(("device-model", text(device_model)));
    if vm.firmware == Firmware::Uefi {
        platform.push(("secureboot", text(if vm.secure_boot { "true" } else { "false" })));
    }
    record([
        ("uuid", text(uuid)),
        ("name_label", text(&vm.name)),
        ("name_description", text(&vm.description)),
        ("user_version", Value::number(1)),
        ("is_a_template", no()),
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
        ("platform", record(platform)),
        ("PCI_bus", empty()),
        ("other_config", map()),
        ("last_boot_CPU_flags", map()),
        ("recommendations", empty()),
        ("has_vendor_device", no()),
    ])
}

/// The importer creates disks in an SR of its own choice; this one only holds the references.
pub(crate) fn sr(uuid: &str) -> Value<'static> {
    record([
        ("uuid", text(uuid)),
        ("virtual_allocation", zero()),
        ("physical_utilisation", zero()),
        ("physical_size", zero()),
        ("type", text("user")),
        // `iso` would mean that the archive holds no blocks.
        ("content_type", text("user")),
        ("shared", no()),
        ("other_config", map()),
    ])
}

pub(crate) fn vdi(disk: &VmDisk, name: String, sr: &str, uuid: &str) -> Value<'static> {
    record([
        ("uuid", text(uuid)),
        ("name_label", Value::text(name)),
        ("name_description", empty()),
        ("SR", text(sr)),
        ("virtual_size", Value::number(disk.virtual_size())),
        ("physical_utilisation", zero()),
        ("type", text("user")),
        ("sharable", no()),
        ("read_only", no()),
        ("other_config", map()),
        ("storage_lock", no()),
        ("managed", Value::Boolean(true)),
        ("missing", no()),
        ("parent", null()),
    ])
}

/// `index` is the number of the device.
pub(crate) fn vbd(index: usize, vm: &str, vdi: &str, uuid: &str) -> Value<'static> {
    let members = [
        ("uuid", text(uuid)),
        ("VM", text(vm)),
        ("VDI", text(vdi)),
        ("device", empty()),
        ("userdevice", text(&index.to_string())),
        ("bootable", Value::Boolean(index == 0)),
        ("mode", text("RW")),
        ("type", text("Disk")),
        ("storage_lock", no()),
        ("empty", no()),
    ];
    record(members.into_iter().chain(device_members()))
}

/// The importer looks for a network with this label, and makes an isolated one if there is none.
pub(crate) fn network(label: &str, uuid: &str) -> Value<'static> {
    record([
        ("uuid", text(uuid)),
        ("name_label", text(label)),
        ("bridge", empty()),
        ("MTU", Value::number(1500)),
        ("other_config", map()),
    ])
}

/// `index` is the number of the device. Without a MAC address the importer makes one.
pub(crate) fn vif(index: usize, vm: &str, network: &str, uuid: &str) -> Value<'static> {
    let members = [
        ("uuid", text(uuid)),
        ("device", text(&index.to_string())),
        ("network", text(network)),
        ("VM", text(vm)),
        ("MAC", empty()),
        ("MTU", Value::number(1500)),
    ];
    record(members.into_iter().chain(device_members()))
}
