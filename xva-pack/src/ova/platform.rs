//! The `platform` map of a machine: what the program writes into it, what the user says over that, and which of it no
//! host starts.
//!
//! Source: xapi's `vm_platform.ml`, `sanity_check`, which looks when the machine is started: too late for an archive.

use crate::ova::setting::{Setting, repeated};
use crate::ova::vm::{Firmware, Vm};

/// The key that `--cores-per-socket` writes.
const CORES: &str = "cores-per-socket";
/// The key that xapi writes from the generation ID.
const GENERATION_ID: &str = "generation-id";
/// The key that follows from the firmware.
const DEVICE_MODEL: &str = "device-model";
/// The key that `--secure-boot` writes.
const SECURE_BOOT: &str = "secureboot";

/// The entries, in the order in which they are written. What the user says replaces what would stand there otherwise.
///
/// Refused (with the sentence): what no host starts, and a key said twice.
pub(crate) fn of(vm: &Vm) -> Result<Vec<(String, String)>, String> {
    let mut entries: Vec<(String, String)> =
        ["acpi", "apic", "nx", "pae", "viridian"].map(|key| (key.to_owned(), "true".to_owned())).into();
    let mut add = |key: &str, value: &str| entries.push((key.to_owned(), value.to_owned()));
    match vm.firmware {
        Firmware::Bios => add(DEVICE_MODEL, "qemu-upstream-compat"),
        Firmware::Uefi => {
            add(DEVICE_MODEL, "qemu-upstream-uefi");
            add(SECURE_BOOT, if vm.secure_boot { "true" } else { "false" });
        }
    }
    if let Some(cores) = vm.cores_per_socket {
        if cores == 0 || !vm.vcpus.is_multiple_of(cores) {
            return Err(format!(
                "the processors must be whole sockets: found {cores} cores per socket and {} processors, expected a \
                 divisor of that",
                vm.vcpus
            ));
        }
        add(CORES, &cores.to_string());
    }
    if let Some(key) = repeated(vm.platform.iter().map(Setting::key)) {
        return Err(format!("the key {key} of the platform is there twice"));
    }
    for setting in &vm.platform {
        check(vm, setting)?;
        let value = setting.value().to_owned();
        match entries.iter_mut().find(|(key, _)| key == setting.key()) {
            Some(entry) => entry.1 = value,
            None => entries.push((setting.key().to_owned(), value)),
        }
    }
    Ok(entries)
}

fn check(vm: &Vm, setting: &Setting) -> Result<(), String> {
    let (key, value) = (setting.key(), setting.value());
    let refused = |expected: &str| Err(format!("platform {key}: found {value:?}, expected {expected}"));
    match (key, vm.firmware) {
        (CORES, _) => refused("it as --cores-per-socket"),
        (GENERATION_ID, _) => refused("it as --generation-id"),
        (DEVICE_MODEL, Firmware::Bios) if value == "qemu-upstream-uefi" => {
            refused("--firmware uefi, or another model")
        }
        (DEVICE_MODEL, Firmware::Uefi) if value == "qemu-trad" => {
            refused("--firmware bios, or another model")
        }
        (DEVICE_MODEL, _) if value.is_empty() => refused("a model, such as qemu-upstream-compat"),
        (SECURE_BOOT, Firmware::Bios) => refused("--firmware uefi: a BIOS has no secure boot"),
        (SECURE_BOOT, _) if vm.secure_boot => refused("only one of it and --secure-boot"),
        (SECURE_BOOT, _) if !["true", "false", "auto"].contains(&value) => refused("true, false or auto"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(firmware: Firmware, settings: &[&str]) -> Vm {
        let platform = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
        Vm { vcpus: 6, firmware, platform, ..Vm::default() }
    }

    fn value(vm: &Vm, key: &str) -> Option<String> {
        let mut values =
            of(vm).unwrap().into_iter().filter(|(found, _)| found == key).map(|(_, value)| value);
        let first = values.next();
        assert_eq!(values.next(), None, "{key} is there twice");
        first
    }

    #[test]
    fn what_the_user_says_replaces_what_would_stand_there() {
        let vm = machine(
            Firmware::Uefi,
            &["viridian=false", "secureboot=auto", "vga=std", "device-model=qemu-upstream-compat"],
        );
        for (key, expected) in [
            ("viridian", "false"),
            ("secureboot", "auto"),
            ("vga", "std"),
            ("device-model", "qemu-upstream-compat"),
            ("acpi", "true"),
        ] {
            assert_eq!(value(&vm, key).as_deref(), Some(expected), "{key}");
        }
    }

    #[test]
    fn the_cores_of_a_socket_divide_the_processors() {
        for (cores, taken) in
            [(1, true), (2, true), (3, true), (6, true), (0, false), (4, false), (12, false)]
        {
            let vm = Vm { cores_per_socket: Some(cores), ..machine(Firmware::Bios, &[]) };
            assert_eq!(of(&vm).is_ok(), taken, "{cores}");
        }
        assert_eq!(value(&machine(Firmware::Bios, &[]), CORES), None);
    }

    #[test]
    fn what_no_host_starts_is_refused() {
        use Firmware::{Bios, Uefi};
        for (firmware, settings, secure_boot) in [
            (Bios, &["device-model=qemu-upstream-uefi"][..], false),
            (Uefi, &["device-model=qemu-trad"], false),
            (Uefi, &["device-model="], false),
            (Bios, &["secureboot=false"], false),
            (Uefi, &["secureboot=yes"], false),
            (Uefi, &["secureboot=true"], true),
            (Uefi, &["cores-per-socket=2"], false),
            (Uefi, &["generation-id=1:2"], false),
            (Uefi, &["vga=std", "vga=std"], false),
        ] {
            let vm = Vm { secure_boot, ..machine(firmware, settings) };
            assert!(of(&vm).is_err(), "{settings:?}");
        }
    }
}
