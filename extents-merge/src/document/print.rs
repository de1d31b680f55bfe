//! The three forms in which a disk is printed: intervals, list and map.

use std::io::{BufWriter, Write};

use crate::document::document_writer::DocumentWriter;
use crate::document::map::writer::{MapFile, MapWriter};
use crate::extent::Extent;
use crate::extent::rescale::touched;
use crate::failure::Failure;

/// Written at once to a pipe; larger than its usual 64 KiB gains nothing.
const BUFFER: usize = 64 << 10;

/// `--output`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The extents document with `[first,last]` runs
    #[default]
    Intervals,
    /// The extents document with every cluster number
    List,
    /// The array of `qemu-img map --output=json`, with file names
    Map,
}

/// Prints the extents of a disk.
#[derive(Clone, Debug)]
pub struct Printer {
    /// Which form.
    pub form: Form,
    /// Bytes that the guest sees.
    pub virtual_size: u64,
    /// log2 of the unit of intervals and lists.
    pub cluster_bits: u32,
    /// For each layer the file that its data lies in; only a map needs them, and without them has no offsets.
    pub files: Vec<MapFile>,
}

/// A disk of which some extents are printed.
#[derive(Debug)]
pub struct Printing<W: Write>(Begun<W>);

#[derive(Debug)]
enum Begun<W: Write> {
    Map(MapWriter<BufWriter<W>>),
    /// With log2 of its unit.
    Document(DocumentWriter<BufWriter<W>>, u32),
}

impl Printer {
    /// Prints `extents`, which cover the virtual size, to `out`. After a failure the output is incomplete.
    ///
    /// Status 4 for a map whose files have names that it cannot say.
    pub fn print(
        &self,
        extents: impl Iterator<Item = Result<Extent, Failure>>,
        out: impl Write,
    ) -> Result<(), Failure> {
        let mut printing = self.begin(out)?;
        for extent in extents {
            printing.push(extent?)?;
        }
        printing.finish()
    }

    /// Begins to print to `out`, for whoever learns of the extents one after the other. As [`Printer::print`].
    pub fn begin<W: Write>(&self, out: W) -> Result<Printing<W>, Failure> {
        let out = BufWriter::with_capacity(BUFFER, out);
        let (size, bits) = (self.virtual_size, self.cluster_bits);
        let writer = match self.form {
            Form::Intervals => DocumentWriter::intervals(out, size, bits),
            Form::List => DocumentWriter::list(out, size, bits),
            Form::Map => return Ok(Printing(Begun::Map(MapWriter::new(out, &self.files)?))),
        };
        let writer = writer.map_err(|error| Failure::output(&error))?;
        Ok(Printing(Begun::Document(writer, bits)))
    }
}

impl<W: Write> Printing<W> {
    /// Prints the extent that follows the last one.
    pub fn push(&mut self, extent: Extent) -> Result<(), Failure> {
        match &mut self.0 {
            Begun::Map(writer) => writer.push(extent),
            Begun::Document(writer, bits) => match touched(extent.start, extent.end(), *bits) {
                Some((first, last)) if extent.is_data() => {
                    writer.push(first, last).map_err(|error| Failure::output(&error))
                }
                _ => Ok(()),
            },
        }
    }

    /// Completes what is printed; without this it passes for nothing whole.
    pub fn finish(self) -> Result<(), Failure> {
        match self.0 {
            Begun::Map(writer) => writer.finish(),
            Begun::Document(writer, _) => writer.finish().map_err(|error| Failure::output(&error)),
        }
    }
}
