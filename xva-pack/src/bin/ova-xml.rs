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
use xva_pack::ova::size::parse_size;
use xva_pack::ova::uuid::uuid;
use xva_pack::ova::vm::{Firmware, Vm};
use xva_pack::ova::vm_disk::VmDisk;

/// Print the metadata (ova.xml) of a VM for an XVA
///
/// The least that xapi 1.110 (2018) and every later one imports. The first disk boots. Sizes are rounded up to
/// whole MiB, as the disks must be: pack them with xva-pack --pad, in byte order of REF.
#[derive(Parser, Debug)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// Name of the VM
    #[arg(long)]
    name: String,
    /// Description of the VM
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Memory: bytes, or such as 512M or 4G (powers of 1024)
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: u64,
    /// Virtual processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    vcpus: u32,
    /// What starts the VM
    #[arg(long, value_enum)]
    firmware: Firmware,
    /// Start only what is signed; needs --firmware uefi
    #[arg(long)]
    secure_boot: bool,
    /// A disk: its directory in the archive, its size and its name; repeat for each
    #[arg(long = "disk", value_name = "REF=SIZE[,name=NAME]", required = true, value_parser = VmDisk::parse)]
    disks: Vec<VmDisk>,
    /// A network card in the network of this label; repeat for each. The importer makes an isolated network if the
    /// host has none of that label
    #[arg(long = "network", value_name = "LABEL")]
    networks: Vec<String>,
    /// Draw UUIDs at random. Otherwise the same VM has the same ones
    #[arg(long)]
    random_uuids: bool,
}

const EXAMPLES: &str = "\
Examples:
  ova-xml --name web --memory 2G --vcpus 2 --firmware uefi \\
    --disk Ref:000=20G > ova.xml
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
        firmware: cli.firmware,
        secure_boot: cli.secure_boot,
        disks: cli.disks,
        networks: cli.networks,
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
