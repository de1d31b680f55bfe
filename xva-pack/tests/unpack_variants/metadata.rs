//! The metadata: what the importer requires of it.

use xva_pack::xva::tar_member::header as v7;

use crate::archive_builder::{Archive, BLOCK, ova, ova_with};
use crate::judge::Verdict::{Refused, Sound, Warned};
use crate::judge::{Variant, judge};
use crate::parts::{A, a, changed, kind, replaced, whole};

/// Metadata of a machine with one disk and a network card, changed.
fn networked(from: &str, to: &str) -> Archive {
    replaced(ova_with(&[("Ref:000", 3 * BLOCK)], &["lan"]), from, to)
}

fn many_values() -> Vec<u8> {
    format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(1 << 18)).into_bytes()
}

#[rustfmt::skip]
fn variants() -> Vec<Variant> {
    vec![
        ("export_vsn 3", whole(changed("export_vsn</name><value>2", "export_vsn</name><value>3")).end(), Sound),
        ("typed values, blanks, a declaration", whole(changed("<value>12288</value>", "<value>\n <i8>12288</i8> </value>").member_with("y", b"", kind(b'g'))).end(), Sound),
        ("no power_state", whole(changed("power_state", "powerstate")).end(), Warned("field power_state is missing; xapi 1.110 to 1.249 refuses records without it")),
        ("no metrics of a VBD", whole(changed("currently_attached</name><value><boolean>0</boolean></value></member><member><name>metrics", "currently_attached</name><value><boolean>0</boolean></value></member><member><name>m")).end(), Warned("xapi 1.110 to 22.3 refuses records without it")),
        ("no type of an SR", whole(changed("shared</name>", "sh</name>")).end(), Warned(": field shared is missing; xapi refuses records without it")),
        ("a network card", whole(networked("lan", "lan")).end(), Sound),
        ("checksum table of export_vsn 1", whole(changed("export_vsn</name><value>2", "export_vsn</name><value>1")).member("checksum.xml", b"<value/>").end(), Warned("is not compared")),
        ("ova.xml is not first", Archive::default().block(A, &a()).member("ova.xml", &ova(&[("Ref:000", BLOCK)])).end(), Refused(3, "ova.xml at byte 5632: is not the first member")),
        ("export_vsn 0", whole(changed("export_vsn</name><value>2", "export_vsn</name><value>0")).end(), Refused(3, "export_vsn is 0 or missing: expected 2")),
        ("no xapi_major", whole(changed("xapi_major", "xapi_m")).end(), Refused(3, "version: xapi_major is missing")),
        ("empty key in ova.xml", whole(changed("<name>order</name>", "<name></name>")).end(), Refused(3, "a struct has a member without a name")),
        ("ova.xml is cut off", whole(Archive::default().member("ova.xml", &ova(&[("Ref:000", BLOCK)])[..5000])).end(), Refused(3, "ova.xml at byte 0: is not")),
        ("dangling VDI", whole(changed("VDI</name><value>Ref:000", "VDI</name><value>Ref:999")).end(), Refused(3, "VDI \"Ref:999\" is not among the objects")),
        ("no user_version", whole(changed("user_version", "userversion")).end(), Refused(3, ": field user_version is missing")),
        ("no bootable", whole(changed("<name>bootable<", "<name>boot<")).end(), Refused(3, ": field bootable is missing")),
        ("a boolean without its type", whole(changed("is_a_template</name><value><boolean>0</boolean>", "is_a_template</name><value>0")).end(), Refused(3, ": field is_a_template has the wrong type: expected <boolean>")),
        ("a mode that is none", whole(changed("<value>RW</value>", "<value>W</value>")).end(), Refused(3, ": field mode is \"W\": expected RO, RW")),
        ("a mode in small letters", whole(changed("<value>RW</value>", "<value>rw</value>")).end(), Sound),
        ("a power state that is none", whole(changed("<value>Halted</value>", "<value>off</value>")).end(), Refused(3, ": field power_state is \"off\": expected Halted")),
        ("VBD of no VM", whole(changed("<name>class</name><value>VM<", "<name>class</name><value>host<")).end(), Refused(3, "is not among the objects")),
        ("VIF of no network", whole(networked("class</name><value>network", "class</name><value>host")).end(), Refused(3, ": network \"Ref:")),
        ("VIF of no VM", whole(networked("VM</name><value>Ref:1000</value></member><member><name>MAC", "VM</name><value>Ref:9</value></member><member><name>MAC")).end(), Refused(3, ": VM \"Ref:9\" is not among the objects")),
        ("ova.xml of 8 MiB that is cut off", Archive::default().raw(&v7("ova.xml", 8 << 20).unwrap()).0, Refused(3, "ends early, in ova.xml")),
        ("ova.xml of more than 8 MiB", Archive::default().raw(&v7("ova.xml", (8 << 20) + 1).unwrap()).0, Refused(4, "ova.xml is too large: found 8388609 bytes")),
        ("ova.xml of too many values", Archive::default().member("ova.xml", &many_values()).block(A, &a()).end(), Refused(4, "too large: expected at most 262144 values")),
    ]
}

#[test]
fn metadata_is_held_to_what_the_importer_requires() {
    judge(variants());
}
