//! `ova-xml`: prints the metadata of a VM that is to be packed.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use clap::Parser;
use extents::failure::Failure;
use extents::frame::messages::Messages;
use extents::frame::program::Output;
use extents::frame::streams;
use xva_pack::ova::document::to_xml;
use xva_pack::ova::generation_id::GenerationId;
use xva_pack::ova::setting::Setting;
use xva_pack::ova::size::parse_size;
use xva_pack::ova::uuid::uuid;
use xva_pack::ova::vm::{Firmware, Vm};
use xva_pack::ova::vm_disk::VmDisk;
use xva_pack::ova::vm_network::VmNetwork;

/// Heading of the options that say what the guest finds.
const MACHINE: &str = "Machine";
/// Heading of what is attached to it.
const DEVICES: &str = "Devices";
/// Heading of what only xapi looks at.
const RECORD: &str = "Kept by xapi with the VM";

/// Print the metadata (ova.xml) of a VM for an XVA
///
/// The least that xapi 1.110 (2018) and every later one imports. The first disk boots. Sizes are rounded up to
/// whole MiB, as the disks must be: pack them with xva-pack --pad, in byte order of REF.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES, override_usage = USAGE)]
#[allow(clippy::struct_excessive_bools, reason = "each says another thing of the machine")]
struct Cli {
    /// Name of the VM
    #[arg(long, help_heading = MACHINE)]
    name: String,
    /// Description of the VM
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, help_heading = MACHINE)]
    description: String,
    /// Memory: bytes, or such as 512M or 4G (powers of 1024)
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = MACHINE)]
    memory: u64,
    /// Virtual processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = MACHINE)]
    vcpus: u32,
    /// How many processors the guest sees in one socket: a divisor of --vcpus. Otherwise one; client Windows uses two
    /// sockets only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = MACHINE)]
    cores_per_socket: Option<u32>,
    /// What starts the VM
    #[arg(long, value_enum, help_heading = MACHINE)]
    firmware: Firmware,
    /// Start only what is signed; needs --firmware uefi
    #[arg(long, help_heading = MACHINE)]
    secure_boot: bool,
    /// A new TPM, as Windows 11 wants; needs --firmware uefi. XCP-ng 8.2 and older leave it out
    #[arg(long, help_heading = MACHINE)]
    vtpm: bool,
    /// Entry of the VM's platform, such as viridian=false; repeat for each. It goes over what would stand there
    #[arg(long, value_name = "KEY=VALUE", value_parser = Setting::parse, help_heading = MACHINE)]
    platform: Vec<Setting>,
    /// A disk: its directory in the archive, its size and its name; repeat for each
    #[arg(long = "disk", value_name = "REF=SIZE[,name=NAME]", required = true, value_parser = VmDisk::parse,
          help_heading = DEVICES)]
    disks: Vec<VmDisk>,
    /// A network card in the network of this label, of which only a last ",mac=" is no part; repeat for each. The
    /// importer makes an isolated network if the host has none of that label, and keeps the MAC address with
    /// preserve=true only
    #[arg(long = "network", value_name = "LABEL[,mac=MAC]", value_parser = VmNetwork::parse, help_heading = DEVICES)]
    networks: Vec<VmNetwork>,
    /// An empty CD drive, as device 3
    #[arg(long, help_heading = DEVICES)]
    cd: bool,
    /// Entry of the VM's other-config; repeat for each
    #[arg(long, value_name = "KEY=VALUE", value_parser = Setting::parse, help_heading = RECORD)]
    other_config: Vec<Setting>,
    /// A tag; repeat for each
    #[arg(long = "tag", value_name = "TAG", help_heading = RECORD)]
    tags: Vec<String>,
    /// By which Windows learns that it was copied. The import puts a new one in its place, as in a VM made of a
    /// template; none stays none
    #[arg(long, value_name = "A:B|none", default_value = "0:0", value_parser = GenerationId::parse,
          hide_default_value = true, help_heading = RECORD)]
    generation_id: GenerationId,
    /// A template, from which VMs are made
    #[arg(long, help_heading = RECORD)]
    template: bool,
    /// Draw UUIDs at random. Otherwise the same VM has the same ones
    #[arg(long)]
    random_uuids: bool,
}

/// As clap has it, it does not fit into a line.
const USAGE: &str = "\
ova-xml [OPTIONS] --name <NAME> --memory <SIZE> --vcpus <N>
       --firmware <FIRMWARE> --disk <REF=SIZE[,name=NAME]>...";

const EXAMPLES: &str = "\
Examples:
  ova-xml --name web --memory 2G --vcpus 2 --firmware uefi \\
    --disk Ref:000=20G > ova.xml
  ova-xml --name windows-11 --memory 8G --vcpus 4 --cores-per-socket 4 \\
    --firmware uefi --secure-boot --vtpm --cd --platform device_id=0002 \\
    --disk Ref:000=64G > ova.xml
  ova-xml --name db --memory 8G --vcpus 4 --firmware bios \\
    --disk Ref:000=20G,name=system --disk Ref:001=500G \\
    --network 'Pool-wide network associated with eth0' > ova.xml
  { xva-pack --pad --ova ova.xml --prefix Ref:000 --no-trailer \\
      a.raw < a.json &&
    xva-pack --pad --check-ova ova.xml --prefix Ref:001 \\
      b.raw < b.json; } > vm.xva

Exit status: 0 done, 1 system failure, 2 wrong usage";

extents::main!(describe, Output::Other);

fn describe(cli: Cli, _: Messages) -> Result<(), Failure> {
    let vm = Vm {
        name: cli.name,
        description: cli.description,
        memory: cli.memory,
        vcpus: cli.vcpus,
        cores_per_socket: cli.cores_per_socket,
        firmware: cli.firmware,
        secure_boot: cli.secure_boot,
        vtpm: cli.vtpm,
        disks: cli.disks,
        networks: cli.networks,
        cd: cli.cd,
        platform: cli.platform,
        other_config: cli.other_config,
        tags: cli.tags,
        generation_id: cli.generation_id,
        template: cli.template,
    };
    let xml = if cli.random_uuids {
        let seed = random_bytes()?;
        to_xml(&vm, |id, _| uuid(&seed, id))
    } else {
        to_xml(&vm, |id, description| uuid(description, id))
    }?;
    streams::stdout()?.write_all(&xml).map_err(|error| Failure::output(&error))
}

fn random_bytes() -> Result<[u8; 16], Failure> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|error| Failure::io(source, "cannot read", &error))
}
