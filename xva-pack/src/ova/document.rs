//! The smallest metadata that every xapi from 1.110 (2018) to today imports: one HVM machine, its disks, a stand-in for
//! their SR, and its networks.
//!
//! Source: the fields without a default in `ocaml/idl/datamodel*.ml` of xen-api 1.110 to HEAD (2026), all of them. Why
//! a value is what it is stands beside it in `records.rs` where it is not evident.

use std::collections::BTreeMap;

use extents::failure::Failure;

use crate::ova::records;
use crate::ova::value::Value;
use crate::ova::vm::Vm;
use crate::ova::writer::write;

/// The number from which objects that are not disks are called; disks usually have small ones.
const FIRST_REF: u64 = 1000;

/// The text of the `ova.xml` of `vm`. `uuid` gives each object an identity, by its id and the text without them.
///
/// Refused (status 2): a machine that no importer takes.
pub fn to_xml(vm: &Vm, uuid: impl Fn(&str, &[u8]) -> String) -> Result<Vec<u8>, Failure> {
    let memory = vm.check().map_err(Failure::usage)?;
    let nameless = write(&document(vm, memory, &|_| String::new()))?;
    write(&document(vm, memory, &|id| uuid(id, &nameless)))
}

/// `memory` is in bytes.
fn document(vm: &Vm, memory: i64, uuid: &dyn Fn(&str) -> String) -> Value<'static> {
    let mut refs = Refs { next: FIRST_REF, vm };
    let (vm_ref, sr) = (refs.draw(), refs.draw());
    let mut objects = vec![
        records::object("VM", &vm_ref, records::vm(vm, memory, &uuid(&vm_ref))),
        records::object("SR", &sr, records::sr(&uuid(&sr))),
    ];
    for (index, disk) in vm.disks.iter().enumerate() {
        let (vdi, vbd) = (disk.prefix(), refs.draw());
        let name = disk.name().map_or_else(|| format!("{} {index}", vm.name), str::to_owned);
        objects.push(records::object("VDI", vdi, records::vdi(disk, name, &sr, &uuid(vdi))));
        objects.push(records::object("VBD", &vbd, records::vbd(index, &vm_ref, vdi, &uuid(&vbd))));
    }
    let mut cards_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, label) in vm.networks.iter().enumerate() {
        cards_of.entry(label).or_default().push(index);
    }
    let mut networks_of_cards = BTreeMap::new();
    for (label, cards) in cards_of {
        let network = refs.draw();
        objects.push(records::object("network", &network, records::network(label, &uuid(&network))));
        networks_of_cards.extend(cards.into_iter().map(|index| (index, network.clone())));
    }
    for (index, network) in networks_of_cards {
        let vif = refs.draw();
        objects.push(records::object("VIF", &vif, records::vif(index, &vm_ref, &network, &uuid(&vif))));
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
    use crate::ova::vm::{Firmware, LEAST_MEMORY, MAX_DISKS};
    use crate::ova::vm_disk::VmDisk;

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
            networks: ["eth0", "lab", "eth0"].map(str::to_owned).to_vec(),
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
        let changes: [fn(&mut Vm); 9] = [
            |vm| vm.vcpus = 0,
            |vm| vm.memory = 0,
            |vm| vm.memory = LEAST_MEMORY - 1,
            |vm| vm.disks = disks(MAX_DISKS + 1),
            |vm| vm.memory = u64::MAX,
            |vm| vm.firmware = Firmware::Bios,
            |vm| vm.networks.push(String::new()),
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
        let document = document(&machine, 1 << 31, &|id| id.to_owned());
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
        assert_eq!(labels, machine.networks);
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
