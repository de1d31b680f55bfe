//! `xva-headers`: prints which blocks of a disk inside an XVA hold data, and where they are.

mod arguments;

use std::io::Write;

use extents::document::print::{Form, Printer};
use extents::failure::Failure;
use extents::frame::disk_output::map_file;
use extents::frame::messages::{Messages, Verbosity};
use extents::frame::program::Output;
use extents::frame::streams;
use extents::image::file::ImageFile;
use xva_pack::host::progress::Progress;
use xva_pack::unpack::disk_extents::{Chosen, DiskExtents};
use xva_pack::unpack::findings::Findings;
use xva_pack::unpack::frames::Frames;
use xva_pack::unpack::input::Input;
use xva_pack::unpack::listing::listing;
use xva_pack::unpack::options::Options;
use xva_pack::unpack::report::Archive;
use xva_pack::unpack::sink::Sink;
use xva_pack::unpack::task::{Task, Unpacker};
use xva_pack::unpack::walk::read;
use xva_pack::xva::block::BLOCK;

use crate::arguments::Cli;

extents::main!(|cli: Cli, messages| run(&cli, messages), Output::Document);

fn run(cli: &Cli, messages: Messages) -> Result<(), Failure> {
    let image = cli.archive.open_image_for(if cli.list { Form::Intervals } else { cli.output })?;
    if cli.list { list(cli, &image, messages) } else { headers(cli, &image, messages) }
}

fn list(cli: &Cli, image: &ImageFile, messages: Messages) -> Result<(), Failure> {
    // What is compressed in one piece is refused here, too.
    Frames::of_image(image)?;
    let mut lister = Unpacker::new(&Task::List, false, false, Progress::new(None)?);
    let archive = walk(cli, image, &mut lister, messages)?;
    check_unchanged(image)?;
    let lines = listing(&archive.disks)?;
    streams::stdout()?.write_all(lines.as_bytes()).map_err(|error| Failure::output(&error))
}

fn headers(cli: &Cli, image: &ImageFile, messages: Messages) -> Result<(), Failure> {
    let wanted = cli.disk.as_deref();
    let printing = |chosen| {
        let files = if cli.output == Form::Map { vec![map_file(image)] } else { Vec::new() };
        let cluster_bits = BLOCK.ilog2();
        let printer = Printer { form: cli.output, virtual_size: 0, cluster_bits, files };
        Ok(DiskExtents::new(
            image.path().to_path_buf(),
            Frames::of_image(image)?,
            wanted,
            chosen,
            printer,
            streams::stdout()?,
        ))
    };
    let mut extents = printing(None)?;
    let archive = walk(cli, image, &mut extents, messages)?;
    if !extents.is_chosen() {
        // Without metadata at its beginning only the end of the archive tells which disks there are, and how long they are.
        let chosen = Chosen::of_archive(wanted, &archive).map_err(|failure| failure.in_file(image.path()))?;
        if !archive.has_ova {
            let Chosen { prefix, size } = &chosen;
            messages.warn(format!(
                "{}: has no ova.xml: disk {prefix} is taken to end where its last block does, at byte {size}",
                image.path().display()
            ));
        }
        extents = printing(Some(chosen))?;
        walk(cli, image, &mut extents, Messages::new("", Verbosity { quiet: true, verbose: false }))?;
    }
    check_unchanged(image)?;
    extents.finish()
}

/// Reads the headers of the archive in `image`.
fn walk(cli: &Cli, image: &ImageFile, sink: &mut dyn Sink, messages: Messages) -> Result<Archive, Failure> {
    let input = Input::of_image(image, &cli.archive)?.by_headers();
    let options = Options { only: cli.disk.clone(), ..Options::default() };
    let mut findings = Findings::new(Task::List.policy(false), messages).of(image.path());
    let (archive, done) = read(input, &options, sink, &mut findings);
    done.map(|()| archive)
}

/// Status 1 for an archive that was written to since it was opened: its headers may be those of two states.
fn check_unchanged(image: &ImageFile) -> Result<(), Failure> {
    match image.state().difference(&image.state_now()?) {
        Some(what) => Err(image.changed(&what)),
        None => Ok(()),
    }
}
