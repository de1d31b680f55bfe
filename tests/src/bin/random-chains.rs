//! Writes random chains of images, and what their guests read, for tests of the programs as programs.

use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

use image_builders::{qcow2, vhd};

const USAGE: &str = "usage: random-chains qcow2|vhd FIRST_SEED COUNT DIRECTORY";
/// Of the largest disk: the first and the last block of an archive are always there, so that most disks need more.
const SECTORS: u64 = 12_000;

/// For each seed a directory `DIRECTORY/SEED` with the chain and `truth.raw`; prints the path of each image.
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::InvalidInput, USAGE);
    let [format, first, count, directory] = arguments.as_slice() else { return Err(usage()) };
    let [first, count] = [first, count].map(|number| number.parse::<u64>().map_err(|_| usage()));
    let (first, count) = (first?, count?);
    for seed in first..first.saturating_add(count) {
        let directory = Path::new(directory).join(seed.to_string());
        std::fs::create_dir(&directory)?;
        let (image, truth) = match format.as_str() {
            "qcow2" => {
                let chain = qcow2::Chain::random_up_to(seed, SECTORS);
                (chain.write_to(&directory)?, chain.truth())
            }
            "vhd" => {
                let chain = vhd::Chain::random(seed, SECTORS);
                (chain.write_to(&directory)?, chain.truth())
            }
            _ => return Err(usage()),
        };
        std::fs::write(directory.join("truth.raw"), truth)?;
        writeln!(std::io::stdout(), "{}", image.display())?;
    }
    Ok(())
}
