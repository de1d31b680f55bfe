#!/usr/bin/env python3
"""Reads an ova.xml and prints what `xe` would show of the VM once it is imported; refuses what the importer refuses.

usage: ova_as_xe.py OVA.XML

It knows nothing of this project: XML by Python's parser, the fields that a record must have and what an object may be by the
rules of xapi (releases 1.110 to today), written down here. Sizes are in bytes; entries of maps are sorted.
"""
import re
import sys
import xml.etree.ElementTree as ET

NULL = "OpaqueRef:NULL"

# Of each class: the fields that some release requires, by their types.
REQUIRED = {
    "VM": {
        str: "uuid power_state suspend_VDI resident_on affinity actions_after_shutdown actions_after_reboot"
             " actions_after_crash PV_bootloader PV_kernel PV_ramdisk PV_args PV_bootloader_args PV_legacy_args"
             " HVM_boot_policy PCI_bus domarch metrics guest_metrics recommendations",
        int: "user_version memory_static_max memory_dynamic_max memory_dynamic_min memory_static_min VCPUs_max"
             " VCPUs_at_startup domid",
        bool: "is_a_template is_control_domain",
        dict: "VCPUs_params HVM_boot_params platform other_config last_boot_CPU_flags",
    },
    "VBD": {
        str: "uuid VM VDI device userdevice mode type status_detail qos_algorithm_type metrics",
        int: "status_code",
        bool: "bootable storage_lock empty currently_attached",
        dict: "other_config runtime_properties qos_algorithm_params",
        list: "qos_supported_algorithms",
    },
    "VDI": {
        str: "uuid SR type parent",
        int: "virtual_size physical_utilisation",
        bool: "sharable read_only storage_lock managed missing",
        dict: "other_config",
    },
    "SR": {
        str: "uuid type content_type",
        int: "virtual_allocation physical_utilisation physical_size",
        bool: "shared",
        dict: "other_config",
    },
    "VIF": {
        str: "uuid device network VM MAC status_detail qos_algorithm_type metrics",
        int: "MTU status_code",
        bool: "currently_attached",
        dict: "other_config runtime_properties qos_algorithm_params",
        list: "qos_supported_algorithms",
    },
    "network": {str: "uuid name_label bridge", int: "MTU", dict: "other_config"},
    "VTPM": {str: "vTPM'_VM vTPM'_uuid vTPM'_content", bool: "vTPM'_is_unique vTPM'_is_protected"},
}


def refuse(reason):
    sys.exit(f"xapi refuses it: {reason}")


def need(condition, reason):
    if not condition:
        refuse(reason)


def read(value):
    """A string, bool, list or dict: integers have no type of their own here, as in xapi's archives."""
    need(value.tag == "value" and len(value) <= 1, f"<{value.tag}> where one value should stand")
    if len(value) == 0:
        return value.text or ""
    need(not (value.text or "").strip(), "text beside a tag")
    kind = value[0]
    if kind.tag == "boolean":
        need(kind.text in ("0", "1"), f"boolean {kind.text!r}")
        return kind.text == "1"
    if kind.tag == "array":
        return [read(element) for element in kind.find("data")]
    need(kind.tag == "struct", f"a value of type {kind.tag}")
    members = [(member.find("name").text, read(member.find("value"))) for member in kind]
    need(all(name for name, _ in members), "an empty name in a struct")
    need(len(dict(members)) == len(members), "a name twice in a struct")
    return dict(members)


def check_fields(cls, record):
    for kind, fields in REQUIRED[cls].items():
        for field in fields.split():
            need(field in record, f"Field {field} not present in {cls}")
            found = record[field]
            need(isinstance(found, str if kind is int else kind), f"{cls}.{field} is {found!r}")
            need(kind is not int or re.fullmatch(r"-?\d+", found), f"{cls}.{field} is {found!r}")


def check_machine(vm):
    memory = [int(vm[f"memory_{name}"]) for name in ("static_min", "dynamic_min", "dynamic_max", "static_max")]
    need(memory == sorted(memory) and memory[0] > 0, "the order of the memory limits")
    vcpus = int(vm["VCPUs_max"])
    need(1 <= int(vm["VCPUs_at_startup"]) <= vcpus, "VCPUs_at_startup")
    platform, firmware = vm["platform"], vm["HVM_boot_params"]["firmware"]
    need(vcpus % int(platform.get("cores-per-socket", 1)) == 0, "VCPUs_max must be a multiple of cores-per-socket")
    models = {"bios": ["qemu-trad", "qemu-upstream-compat"], "uefi": ["qemu-upstream-compat", "qemu-upstream-uefi"]}
    need(platform["device-model"] in models[firmware], f"{platform['device-model']} with {firmware}")
    need(vm["HVM_boot_policy"] != "", "not an HVM guest")
    need("parent" in vm, "without parent, memory limits are rewritten")
    need(re.fullmatch(r"(\d+:\d+)?", vm["generation_id"]), "generation_id")
    need(not (vm["is_a_template"] and vm["other_config"].get("default_template") == "true"), "a default template")


def main(file):
    document = read(ET.parse(file).getroot())
    version = document["version"]
    for name in ("hostname", "date", "product_version", "product_brand", "build_number", "xapi_major", "xapi_minor"):
        need(name in version, f"version: {name}")
    need((int(version["xapi_major"]), int(version["xapi_minor"])) <= (1, 110), "made by a newer xapi")
    need(version["export_vsn"] == "2", "export_vsn")
    objects = {}
    for found in document["objects"]:
        need(found["class"] in REQUIRED, f"class {found['class']}")
        need(found["id"] not in objects, f"two objects are called {found['id']}")
        check_fields(found["class"], found["snapshot"])
        objects[found["id"]] = (found["class"], found["snapshot"])

    def of(cls):
        return [record for other, record in objects.values() if other == cls]

    def follow(cls, reference):
        need(objects.get(reference, ("",))[0] == cls, f"{reference} is no {cls} of this archive")
        return objects[reference][1]

    uuids = [record.get("uuid") or record["vTPM'_uuid"] for _, record in objects.values()]
    need(len(set(uuids)) == len(uuids), "two objects have one UUID")
    (vm,) = of("VM")
    check_machine(vm)
    show("vm", vm, "name_label name_description is_a_template memory_static_max VCPUs_max generation_id tags platform"
                   " other_config HVM_boot_policy HVM_boot_params power_state")
    devices = [int(vbd["userdevice"]) for vbd in of("VBD")]
    need(len(set(devices)) == len(devices) and max(devices) <= 254, "DEVICE_ALREADY_EXISTS")
    for vbd in sorted(of("VBD"), key=lambda vbd: int(vbd["userdevice"])):
        follow("VM", vbd["VM"])
        if vbd["type"] == "CD" and vbd["empty"]:
            need(vbd["VDI"] == NULL and vbd["mode"] == "RO", "a drive is empty, and is not")
            disk = {}
        else:
            need(not vbd["empty"], "only a CD drive may be empty")
            disk = follow("VDI", vbd["VDI"])
            need(follow("SR", disk["SR"])["content_type"] != "iso", "a disk in an ISO SR is not in the archive")
            need(int(disk["virtual_size"]) % (1 << 20) == 0, "whole MiB")
        show(f"vbd {vbd['userdevice']}", vbd, "type mode bootable empty")
        show(f"vbd {vbd['userdevice']}", disk, "name_label virtual_size")
    cards = [int(vif["device"]) for vif in of("VIF")]
    need(len(set(cards)) == len(cards), "DEVICE_ALREADY_EXISTS")
    for vif in sorted(of("VIF"), key=lambda vif: int(vif["device"])):
        follow("VM", vif["VM"])
        need(re.fullmatch(r"([0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5})?", vif["MAC"]), "MAC_INVALID")
        show(f"vif {vif['device']}", vif | {"network_name_label": follow("network", vif["network"])["name_label"]},
             "network_name_label MAC MTU")
    for vtpm in of("VTPM"):
        follow("VM", vtpm["vTPM'_VM"])
        show("vtpm", {name.split("_", 1)[1]: value for name, value in vtpm.items()}, "is_unique is_protected content")


def show(what, record, fields):
    for field in fields.split():
        if field in record:
            value = record[field]
            if isinstance(value, dict):
                value = "; ".join(f"{key}: {entry}" for key, entry in sorted(value.items()))
            elif isinstance(value, list):
                value = ", ".join(value)
            elif isinstance(value, bool):
                value = str(value).lower()
            print(f"{what} {field.replace('_', '-')}: {value}")


main(sys.argv[1])
