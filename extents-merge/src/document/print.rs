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

impl Printer {
    /// Prints `extents`, which cover the virtual size, to `out`. After a failure the output is incomplete.
    ///
    /// Status 4 for a map whose files have names that it cannot say.
    pub fn print(
        &self,
        extents: impl Iterator<Item = Result<Extent, Failure>>,
        out: impl Write,
    ) -> Result<(), Failure> {
        let out = BufWriter::with_capacity(BUFFER, out);
        let (size, bits) = (self.virtual_size, self.cluster_bits);
        let writer = match self.form {
            Form::Intervals => DocumentWriter::intervals(out, size, bits),
            Form::List => DocumentWriter::list(out, size, bits),
            Form::Map => {
                let mut writer = MapWriter::new(out, &self.files)?;
                if !self.files.is_empty() {
                    writer = writer.with_virtual_size(size);
                }
                for extent in extents {
                    writer.push(extent?)?;
                }
                return writer.finish();
            }
        };
        let mut writer = writer.map_err(|error| Failure::output(&error))?;
        for extent in extents {
            let extent = extent?;
            if let Some((first, last)) = touched(extent.start, extent.end(), bits)
                && extent.is_data()
            {
                writer.push(first, last).map_err(|error| Failure::output(&error))?;
            }
        }
        writer.finish().map_err(|error| Failure::output(&error))
    }
}
