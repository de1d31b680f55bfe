//! The records of the smallest metadata, class by class, but for that of the VM: every field that some release from
//! 1.110 on requires.

use crate::ova::metadata::EXPORT_VSN;
use crate::ova::value::Value;
use crate::ova::vm::CD_DEVICE;
use crate::ova::vm_disk::VmDisk;
use crate::ova::vm_network::VmNetwork;

/// A reference to no object.
const NULL: &str = "OpaqueRef:NULL";

/// A release that every importer is as new as: it compares these two numbers with its own.
const XAPI_VERSION: (u32, u32) = (1, 0);

pub(crate) type Member = (&'static str, Value<'static>);

pub(crate) fn record(members: impl IntoIterator<Item = Member>) -> Value<'static> {
    Value::Struct(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

pub(crate) fn text(text: &str) -> Value<'static> {
    Value::text(text.to_owned())
}

pub(crate) fn null() -> Value<'static> {
    text(NULL)
}

pub(crate) fn empty() -> Value<'static> {
    text("")
}

pub(crate) fn no() -> Value<'static> {
    Value::Boolean(false)
}

pub(crate) fn map() -> Value<'static> {
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

/// `index` counts the disks from 0; the first one boots.
pub(crate) fn vbd(index: usize, device: usize, vm: &str, vdi: &str, uuid: &str) -> Value<'static> {
    drive(
        device,
        vm,
        uuid,
        [
            ("VDI", text(vdi)),
            ("bootable", Value::Boolean(index == 0)),
            ("mode", text("RW")),
            ("type", text("Disk")),
            ("empty", no()),
        ],
    )
}

/// A drive with no disc in it.
pub(crate) fn cd(vm: &str, uuid: &str) -> Value<'static> {
    drive(
        CD_DEVICE,
        vm,
        uuid,
        [
            ("VDI", null()),
            ("bootable", no()),
            ("mode", text("RO")),
            ("type", text("CD")),
            ("empty", Value::Boolean(true)),
        ],
    )
}

fn drive(device: usize, vm: &str, uuid: &str, members: [Member; 5]) -> Value<'static> {
    let named = [
        ("uuid", text(uuid)),
        ("VM", text(vm)),
        ("device", empty()),
        ("userdevice", text(&device.to_string())),
        ("storage_lock", no()),
    ];
    record(named.into_iter().chain(members).chain(device_members()))
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

/// `index` is the number of the device. Where the address is empty the importer makes one.
pub(crate) fn vif(index: usize, card: &VmNetwork, vm: &str, network: &str, uuid: &str) -> Value<'static> {
    let members = [
        ("uuid", text(uuid)),
        ("device", text(&index.to_string())),
        ("network", text(network)),
        ("VM", text(vm)),
        ("MAC", Value::text(card.mac().map(|mac| mac.to_string()).unwrap_or_default())),
        ("MTU", Value::number(1500)),
    ];
    record(members.into_iter().chain(device_members()))
}

/// A TPM without content: the importer makes a new one. Hosts that know none pass over this class.
///
/// Source: xapi's `importexport.ml`, `vtpm'`: no record of the data model, but one made for archives.
pub(crate) fn vtpm(vm: &str, uuid: &str) -> Value<'static> {
    record([
        ("vTPM'_VM", text(vm)),
        ("vTPM'_uuid", text(uuid)),
        ("vTPM'_is_unique", no()),
        ("vTPM'_is_protected", no()),
        ("vTPM'_content", empty()),
    ])
}
