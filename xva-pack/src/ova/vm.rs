//! The smallest metadata that every xapi from 1.110 (2018) to today imports: one HVM machine, its disks, a
//! stand-in for their SR, and its networks.
//!
//! Source: the fields without a default in `ocaml/idl/datamodel*.ml` of xen-api 1.110 to HEAD (2026), all of them. Why
//! a value is what it is stands beside it where it is not evident.

use std::collections::BTreeSet;

use extents::failure::Failure;

use crate::ova::records;
use crate::ova::value::Value;
use crate::ova::vm_disk::{VmDisk, round_up};
use crate::ova::writer::write;

/// Numbers of block devices of an HVM guest: 0 to 254.
const MAX_DISKS: usize = 255;

/// Bytes; no HVM guest starts with less, and a forgotten suffix does not pass for a size.
const LEAST_MEMORY: u64 = 1 << 20;

/// The number from which objects that are not disks are called; disks usually have small ones.
const FIRST_REF: u32 = 1000;

/// What starts the machine.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// `SeaBIOS`
    Bios,
    /// OVMF
    Uefi,
}

/// A machine to be described.
#[derive(Clone, Debug)]
pub struct Vm {
    /// `name_label`.
    pub name: String,
    /// `name_description`.
    pub description: String,
    /// Bytes of memory.
    pub memory: u64,
    /// Virtual processors.
    pub vcpus: u32,
    /// BIOS or UEFI.
    pub firmware: Firmware,
    /// Secure boot, which only UEFI has.
    pub secure_boot: bool,
    /// In the order of their device numbers; the first one boots.
    pub disks: Vec<VmDisk>,
    /// A label for each network card.
    pub networks: Vec<String>,
}

impl Vm {
    /// The text of its `ova.xml`. `uuid` gives each object an identity, by its id and the text without them.
    ///
    /// Refused (status 2): a machine that no importer takes.
    pub fn to_xml(&self, uuid: impl Fn(&str, &[u8]) -> String) -> Result<Vec<u8>, Failure> {
        self.check().map_err(Failure::usage)?;
        let nameless = write(&self.document(&|_| String::new()))?;
        write(&self.document(&|id| uuid(id, &nameless)))
    }

    /// Says what is wrong with the machine.
    fn check(&self) -> Result<(), String> {
        if self.memory == 0 || self.vcpus == 0 {
            return Err("the machine needs memory and at least one processor: found 0".to_owned());
        }
        if self.memory < LEAST_MEMORY {
            return Err(format!(
                "the machine needs more memory: found {} bytes, expected at least {LEAST_MEMORY}; 2G is 2 GiB",
                self.memory
            ));
        }
        round_up(self.memory)
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .ok_or("the memory is too large")?;
        if self.secure_boot && self.firmware == Firmware::Bios {
            return Err("a BIOS has no secure boot: expected --firmware uefi".to_owned());
        }
        if self.networks.iter().any(String::is_empty) {
            return Err("the label of a network is empty".to_owned());
        }
        if self.disks.len() > MAX_DISKS {
            return Err(format!("too many disks: found {}, expected at most {MAX_DISKS}", self.disks.len()));
        }
        let mut prefixes = BTreeSet::new();
        self.disks.iter().try_for_each(|disk| {
            disk.check()?;
            if prefixes.insert(&disk.prefix) {
                Ok(())
            } else {
                Err(format!("disk {} is there twice", disk.prefix))
            }
        })
    }

    fn document(&self, uuid: &dyn Fn(&str) -> String) -> Value<'_> {
        let mut refs = (FIRST_REF..)
            .map(|number| format!("Ref:{number}"))
            .filter(|id| self.disks.iter().all(|disk| disk.prefix != *id));
        let mut next_ref = || refs.next().unwrap_or_default();
        let (vm, sr) = (next_ref(), next_ref());
        let mut objects = vec![
            records::object("VM", &vm, records::vm(self, &uuid(&vm))),
            records::object("SR", &sr, records::sr(&uuid(&sr))),
        ];
        for (index, disk) in self.disks.iter().enumerate() {
            let name = disk.name.clone().unwrap_or_else(|| format!("{} {index}", self.name));
            let vdi = records::vdi(disk, name, &sr, &uuid(&disk.prefix));
            objects.push(records::object("VDI", &disk.prefix, vdi));
            let vbd = next_ref();
            objects.push(records::object("VBD", &vbd, records::vbd(index, &vm, &disk.prefix, &uuid(&vbd))));
        }
        let labels: BTreeSet<&String> = self.networks.iter().collect();
        let networks: Vec<(&String, String)> = labels.into_iter().map(|label| (label, next_ref())).collect();
        for (label, id) in &networks {
            objects.push(records::object("network", id, records::network(label, &uuid(id))));
        }
        for (index, label) in self.networks.iter().enumerate() {
            let Some((_, network)) = networks.iter().find(|(found, _)| *found == label) else { continue };
            let vif = next_ref();
            objects.push(records::object("VIF", &vif, records::vif(index, &vm, network, &uuid(&vif))));
        }
        records::header(objects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ova::disks::read;

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
        let ova = read(&vm().to_xml(|id, _| format!("uuid of {id}")).unwrap()).unwrap();
        assert_eq!((ova.export_vsn, &ova.objections, &ova.missing_fields), (2, &vec![], &vec![]));
        let disks: Vec<_> = ova.streamed().map(|d| (&*d.prefix, d.virtual_size, &*d.name)).collect();
        assert_eq!(
            disks,
            [("Ref:1000", 1 << 20, "a,b=c,name=d"), ("Ref:1001", 5 << 30, "web <1> & \"co\" 0")]
        );
    }

    #[test]
    fn machines_that_no_importer_takes_are_refused() {
        let changes: [fn(&mut Vm); 10] = [
            |vm| vm.vcpus = 0,
            |vm| vm.memory = 0,
            |vm| vm.memory = LEAST_MEMORY - 1,
            |vm| vm.disks = disks(MAX_DISKS + 1),
            |vm| vm.memory = u64::MAX,
            |vm| vm.firmware = Firmware::Bios,
            |vm| vm.networks.push(String::new()),
            |vm| vm.disks.push(vm.disks[0].clone()),
            |vm| vm.name.push('\0'),
            |vm| vm.disks[0].size = 0,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut machine = vm();
            change(&mut machine);
            let refused = machine.to_xml(|_, _| String::new()).unwrap_err();
            assert_eq!(refused.status() as u8, 2, "change {number}");
        }
    }

    #[test]
    fn every_card_is_in_the_network_of_its_label() {
        let machine = vm();
        let document = machine.document(&|id| id.to_owned());
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
        (0..count).map(|n| VmDisk { prefix: format!("Ref:{n}"), size: 1, name: None }).collect()
    }

    #[test]
    fn the_smallest_memory_and_the_most_disks_are_taken() {
        let machine = Vm { memory: LEAST_MEMORY, disks: disks(MAX_DISKS), ..vm() };
        let ova = read(&machine.to_xml(|id, _| id.to_owned()).unwrap()).unwrap();
        assert_eq!(ova.streamed().count(), MAX_DISKS);
    }
}
