//! The smallest metadata that every xapi from 1.110 (2018) to today imports: one HVM machine, its disks, a stand-in for
//! their SR, its networks, and what else it is to have.
//!
//! Source: the fields without a default in `ocaml/idl/datamodel*.ml` of xen-api 1.110 to HEAD (2026), all of them. Why
//! a value is what it is stands beside it in `records.rs` and `vm_record.rs` where it is not evident.

use std::collections::BTreeMap;

use extents::failure::Failure;

use crate::ova::platform;
use crate::ova::records;
use crate::ova::value::Value;
use crate::ova::vm::Vm;
use crate::ova::vm_record;
use crate::ova::writer::write;

/// The number from which objects that are not disks are called; disks usually have small ones.
const FIRST_REF: u64 = 1000;

/// The text of the `ova.xml` of `vm`. `uuid` gives each object an identity, by its id and the text without them.
///
/// Refused (status 2): a machine that no importer takes.
pub fn to_xml(vm: &Vm, uuid: impl Fn(&str, &[u8]) -> String) -> Result<Vec<u8>, Failure> {
    let memory = vm.check().map_err(Failure::usage)?;
    let platform = platform::of(vm).map_err(Failure::usage)?;
    let nameless = write(&document(vm, memory, &platform, &|_| String::new()))?;
    write(&document(vm, memory, &platform, &|id| uuid(id, &nameless)))
}

/// `memory` is in bytes.
fn document(
    vm: &Vm,
    memory: i64,
    platform: &[(String, String)],
    uuid: &dyn Fn(&str) -> String,
) -> Value<'static> {
    let mut refs = Refs { next: FIRST_REF, vm };
    let (vm_ref, sr) = (refs.draw(), refs.draw());
    let mut objects = vec![
        records::object("VM", &vm_ref, vm_record::vm(vm, memory, platform, &uuid(&vm_ref))),
        records::object("SR", &sr, records::sr(&uuid(&sr))),
    ];
    for (index, disk) in vm.disks.iter().enumerate() {
        let (vdi, vbd) = (disk.prefix(), refs.draw());
        let name = disk.name().map_or_else(|| format!("{} {index}", vm.name), str::to_owned);
        objects.push(records::object("VDI", vdi, records::vdi(disk, name, &sr, &uuid(vdi))));
        let record = records::vbd(index, vm.device(index), &vm_ref, vdi, &uuid(&vbd));
        objects.push(records::object("VBD", &vbd, record));
    }
    if vm.cd {
        let vbd = refs.draw();
        objects.push(records::object("VBD", &vbd, records::cd(&vm_ref, &uuid(&vbd))));
    }
    let mut cards_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, card) in vm.networks.iter().enumerate() {
        cards_of.entry(card.label()).or_default().push(index);
    }
    let mut networks_of_cards = BTreeMap::new();
    for (label, cards) in cards_of {
        let network = refs.draw();
        objects.push(records::object("network", &network, records::network(label, &uuid(&network))));
        networks_of_cards.extend(cards.into_iter().map(|index| (index, network.clone())));
    }
    for ((index, network), card) in networks_of_cards.iter().zip(&vm.networks) {
        let vif = refs.draw();
        let record = records::vif(*index, card, &vm_ref, network, &uuid(&vif));
        objects.push(records::object("VIF", &vif, record));
    }
    if vm.vtpm {
        let vtpm = refs.draw();
        objects.push(records::object("VTPM", &vtpm, records::vtpm(&vm_ref, &uuid(&vtpm))));
    }
    records::header(objects)
}

/// Ids for the objects that are not disks.
struct Refs<'a> {
    next: u64,
    vm: &'a Vm,
}

impl Refs<'_> {
    /// The next id that no disk has.
    fn draw(&mut self) -> String {
        loop {
            let id = format!("Ref:{}", self.next);
            self.next += 1;
            if self.vm.disks.iter().all(|disk| disk.prefix() != id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ova::metadata::read;
    use crate::ova::setting::Setting;
    use crate::ova::vm::{Firmware, LEAST_MEMORY, MAX_DISKS};
    use crate::ova::vm_disk::VmDisk;
    use crate::ova::vm_network::VmNetwork;

    fn vm() -> Vm {
        Vm {
            name: "web <1> & \"co\"".to_owned(),
            description: "]]>".to_owned(),
            memory: (1 << 31) - 5,
            vcpus: 2,
            firmware: Firmware::Uefi,
            secure_boot: true,
            disks: ["Ref:1001=5G", "Ref:1000=1,name=a,b=c,name=d"]
                .map(|d| VmDisk::parse(d).unwrap())
                .to_vec(),
            networks: ["eth0", "lab,mac=00:16:3E:00:00:01", "eth0"]
                .map(|n| VmNetwork::parse(n).unwrap())
                .to_vec(),
            ..Vm::default()
        }
    }

    #[test]
    fn the_importer_finds_the_disks_and_nothing_to_object_to() {
        let ova = read(&to_xml(&vm(), |id, _| format!("uuid of {id}")).unwrap()).unwrap();
        assert_eq!((ova.export_vsn, &ova.objections, &ova.missing_fields), (2, &vec![], &vec![]));
        let disks: Vec<_> = ova.streamed().map(|d| (&*d.prefix, d.virtual_size, &*d.name)).collect();
        assert_eq!(
            disks,
            [("Ref:1000", 1 << 20, "a,b=c,name=d"), ("Ref:1001", 5 << 30, "web <1> & \"co\" 0")]
        );
    }

    #[test]
    fn machines_that_no_importer_takes_are_refused() {
        let changes: [fn(&mut Vm); 17] = [
            |vm| vm.vcpus = 0,
            |vm| vm.memory = 0,
            |vm| vm.memory = LEAST_MEMORY - 1,
            |vm| vm.disks = disks(MAX_DISKS + 1),
            |vm| vm.memory = u64::MAX,
            |vm| vm.firmware = Firmware::Bios,
            |vm| vm.networks.push(vm.networks[1].clone()),
            |vm| (vm.cd, vm.disks) = (true, disks(MAX_DISKS)),
            |vm| (vm.vtpm, vm.secure_boot, vm.firmware) = (true, false, Firmware::Bios),
            |vm| vm.cores_per_socket = Some(3),
            |vm| vm.tags = vec![String::new()],
            |vm| vm.tags = vec!["a\u{9b}".to_owned()],
            |vm| vm.tags = vec!["a".to_owned(); 2],
            |vm| vm.other_config = vec![Setting::parse("a=b").unwrap(); 2],
            |vm| vm.other_config = vec![Setting::parse("default_template=true").unwrap()],
            |vm| vm.disks.push(vm.disks[0].clone()),
            |vm| vm.name.push('\0'),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut machine = vm();
            change(&mut machine);
            let refused = to_xml(&machine, |_, _| String::new()).unwrap_err();
            assert_eq!(refused.status() as u8, 2, "change {number}");
        }
    }

    #[test]
    fn every_card_is_in_the_network_of_its_label() {
        let machine = vm();
        let document = document(&machine, 1 << 31, &[], &|id| id.to_owned());
        let Some(Value::Array(objects)) = document.member("objects") else { panic!("no objects") };
        let text =
            |object: &Value<'_>, name| object.member(name).and_then(Value::as_text).unwrap().to_owned();
        let of_class = |class: &str| objects.iter().filter(|o| text(o, "class") == class).collect::<Vec<_>>();
        let label_of = |id: &str| {
            let network = of_class("network").into_iter().find(|o| text(o, "id") == id).unwrap();
            text(network.member("snapshot").unwrap(), "name_label")
        };
        let cards = of_class("VIF").into_iter().map(|o| o.member("snapshot").unwrap());
        let labels: Vec<String> = cards.map(|card| label_of(&text(card, "network"))).collect();
        assert_eq!(labels, ["eth0", "lab", "eth0"]);
        let addresses: Vec<String> =
            of_class("VIF").iter().map(|o| text(o.member("snapshot").unwrap(), "MAC")).collect();
        assert_eq!(addresses, ["", "00:16:3e:00:00:01", ""]);
    }

    fn disks(count: usize) -> Vec<VmDisk> {
        (0..count).map(|n| VmDisk::new(&format!("Ref:{n}"), 1, None).unwrap()).collect()
    }

    #[test]
    fn the_smallest_memory_and_the_most_disks_are_taken() {
        let machine = Vm { memory: LEAST_MEMORY, disks: disks(MAX_DISKS), ..vm() };
        let ova = read(&to_xml(&machine, |id, _| id.to_owned()).unwrap()).unwrap();
        assert_eq!(ova.streamed().count(), MAX_DISKS);
    }
}
