//! The metadata: the rules by which the importer creates what is in it.

use crate::archive_builder::{Archive, BLOCK, ova_with};
use crate::judge::Verdict::{Refused, Sound};
use crate::judge::{Variant, judge};
use crate::parts::{a, b};

/// An archive of a machine with two disks and two network cards. Each change replaces, in the last object in which the
/// first text stands, the second by the third.
fn machine(changes: &[(&str, &str, &str)]) -> Vec<u8> {
    let metadata = ova_with(&[("Ref:1", BLOCK), ("Ref:2", BLOCK)], &["a", "b"]);
    let mut text = String::from_utf8(metadata).unwrap();
    for (object, from, to) in changes {
        let begin = text.rfind(object).unwrap();
        let place = begin + text[begin..].find(from).unwrap();
        text.replace_range(place..place + from.len(), to);
    }
    Archive::default()
        .member("ova.xml", text.as_bytes())
        .block("Ref:1/00000000", &a())
        .block("Ref:2/00000000", &b())
        .end()
}

const VM: &str = "<value>VM</value></member><member><name>id";
const VDI: &str = "<value>VDI</value></member><member><name>id";
const VBD: &str = "<value>VBD</value></member><member><name>id";
const VIF: &str = "<value>VIF</value></member><member><name>id";

/// The field as it is written.
fn field(name: &str, value: &str) -> String {
    format!("<name>{name}</name><value>{value}</value>")
}

fn flag(name: &str, value: u8) -> String {
    format!("<name>{name}</name><value><boolean>{value}</boolean></value>")
}

/// The last object of a class with another text in a field.
fn with(object: &str, name: &str, from: &str, to: &str) -> Vec<u8> {
    machine(&[(object, &field(name, from), &field(name, to))])
}

/// The last VBD as one of a CD, and then with more changes.
fn drive(changes: &[(&str, &str)]) -> Vec<u8> {
    let cd = [
        (field("type", "Disk"), field("type", "CD")),
        (field("mode", "RW"), field("mode", "RO")),
        (field("VDI", "Ref:2"), field("VDI", "OpaqueRef:NULL")),
        (flag("empty", 0), flag("empty", 1)),
    ];
    let cd = cd.iter().map(|(from, to)| (VBD, from.as_str(), to.as_str()));
    let more = changes.iter().map(|&(from, to)| (VBD, from, to));
    let all: Vec<_> = cd.chain(more).collect();
    // The disk that it had is not expected any more.
    let mut archive = machine(&all);
    let end = archive.len() - 1024 - (512 + BLOCK + 1024);
    archive.truncate(end);
    Archive(archive).end()
}

#[rustfmt::skip]
fn variants() -> Vec<Variant> {
    let suspended = |vdi: &str| machine(&[(VM, &field("power_state", "Halted"), &field("power_state", "Suspended")), (VM, &field("suspend_VDI", "OpaqueRef:NULL"), &field("suspend_VDI", vdi))]);
    let attached = flag("currently_attached", 0);
    let is_attached = flag("currently_attached", 1);
    vec![
        ("as ova-xml makes it", machine(&[]), Sound),
        ("another userdevice", with(VBD, "userdevice", "1", "254"), Sound),
        ("a userdevice by name", with(VBD, "userdevice", "1", "xvdb"), Sound),
        ("a userdevice that the host chooses", with(VBD, "userdevice", "1", "autodetect"), Sound),
        ("one userdevice", with(VBD, "userdevice", "1", "0"), Refused(3, "device \"0\" of VM Ref:1000 is that of VBD Ref:")),
        ("one userdevice, by name", with(VBD, "userdevice", "1", "xvda"), Refused(3, "device \"xvda\" of VM")),
        ("one userdevice, by its old name", with(VBD, "userdevice", "1", "hda"), Refused(3, "device \"hda\" of VM")),
        ("one userdevice of a disk and a drive", drive(&[(&field("userdevice", "1"), &field("userdevice", "0"))]), Refused(3, "device \"0\" of VM")),
        ("a userdevice that is none", with(VBD, "userdevice", "1", "cdrom"), Refused(3, "userdevice \"cdrom\" is none: expected a number")),
        ("one userdevice of two machines", machine(&[(VBD, &field("userdevice", "1"), &field("userdevice", "0")), (VBD, &field("VM", "Ref:1000"), &field("VM", "Ref:77")), ("</data>", "</data>", &format!("{}</data>", second_machine()))]), Sound),
        ("a device by another number of digits", with(VIF, "device", "1", "01"), Sound),
        ("one device of two cards", with(VIF, "device", "1", "0"), Refused(3, "device \"0\" of VM Ref:1000 is that of VIF Ref:")),
        ("one device of two cards in other digits", with(VIF, "device", "1", "00"), Refused(3, "device \"00\" of VM")),
        ("a device that is no number", with(VIF, "device", "1", "eth1"), Refused(3, "device \"eth1\" is none: expected a number")),
        ("a signed device", with(VIF, "device", "1", "+1"), Refused(3, "device \"+1\" is none")),
        ("a MAC", with(VIF, "MAC", "", "0a:1B:2c:3d:4e:5f"), Sound),
        ("a MAC that is none", with(VIF, "MAC", "", "0a:1B:2c:3d:4e"), Refused(3, "MAC \"0a:1B:2c:3d:4e\" is none")),
        ("suspended, with its memory", suspended("Ref:2"), Sound),
        ("suspended, without its memory", suspended("Ref:777"), Refused(3, "is suspended: suspend_VDI \"Ref:777\" is not among the objects")),
        ("suspended, with no memory", suspended("OpaqueRef:NULL"), Refused(3, "is suspended: suspend_VDI \"OpaqueRef:NULL\"")),
        ("suspended, with another object for memory", suspended("Ref:1000"), Refused(3, "is suspended")),
        ("an empty drive", drive(&[]), Sound),
        ("an empty drive that is attached", drive(&[(&attached, &is_attached)]), Sound),
        ("a drive that is not read-only", drive(&[(&field("mode", "RO"), &field("mode", "RW"))]), Refused(3, "mode RW of a CD: expected RO")),
        ("a drive whose disc is in no SR of discs", drive(&[(&field("VDI", "OpaqueRef:NULL"), &field("VDI", "Ref:2")), (&flag("empty", 1), &flag("empty", 0))]), Refused(3, "VDI Ref:2 of a CD is in an SR that is not of iso")),
        ("an empty disk", machine(&[(VBD, &flag("empty", 0), &flag("empty", 1))]), Refused(3, "a disk is empty: expected a CD")),
        ("an empty drive of a PV machine, attached", pv_drive(&is_attached), Refused(3, "is attached: VDI \"OpaqueRef:NULL\" is not among the objects")),
        ("an empty drive of a PV machine", pv_drive(&attached), Sound),
        ("a read-only disk, written", machine(&[(VDI, &flag("read_only", 0), &flag("read_only", 1))]), Refused(3, "mode RW of VDI Ref:2, which is read-only: expected RO")),
        ("a read-only disk", machine(&[(VDI, &flag("read_only", 0), &flag("read_only", 1)), (VBD, &field("mode", "RW"), &field("mode", "RO"))]), Sound),
        ("a disk of metadata about changed blocks", with(VDI, "type", "user", "cbt_metadata"), Refused(3, "is of type cbt_metadata")),
        ("a disk of a redo log", with(VDI, "type", "user", "redo_log"), Refused(3, "is of type redo_log: expected one of a disk")),
        ("a system disk", with(VDI, "type", "user", "System"), Sound),
        ("a name space that is not declared", machine(&[(VM, "<value>VM</value>", "<x:value>VM</x:value>")]), Refused(3, "the name space x is not declared")),
    ]
}

/// Another machine, of the same fields.
fn second_machine() -> String {
    let text = String::from_utf8(ova_with(&[], &[])).unwrap();
    let begin = text.find("<data>").unwrap() + "<data>".len();
    let end = begin + text[begin..].find("<value><struct><member><name>class</name><value>SR").unwrap();
    text[begin..end].replacen("Ref:1000", "Ref:77", 1)
}

/// An empty drive of a machine without an emulator.
fn pv_drive(attached: &str) -> Vec<u8> {
    let metadata = drive(&[(&flag("currently_attached", 0), attached)]);
    let text = String::from_utf8_lossy(&metadata[512..]).into_owned();
    let text = text.split_inclusive("</value>\n").next().unwrap();
    let text = text.replace(&field("domain_type", "hvm"), &field("domain_type", "pv"));
    Archive::default().member("ova.xml", text.as_bytes()).block("Ref:1/00000000", &a()).end()
}

#[test]
fn what_the_importer_cannot_create_is_refused() {
    judge(variants());
}
