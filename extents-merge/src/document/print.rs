//! The three printers of a walk: intervals, list and map.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use crate::document::interval_writer::{DocumentWriter, Style};
use crate::document::map::writer::MapWriter;
use crate::extent::Extent;
use crate::extent::rescale::touched;
use crate::failure::Failure;
use crate::frame::stdout::write_failure;

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

/// What is printed beside the extents.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Bytes that the guest sees.
    pub virtual_size: u64,
    /// log2 of the unit of intervals and lists.
    pub cluster_bits: u32,
    /// For each layer the file that its data lies in; only a map needs them.
    pub files: Vec<PathBuf>,
}

impl Walk {
    /// Prints `extents`, which cover the virtual size, to `out`. After a failure the output is incomplete.
    pub fn print(
        &self,
        form: Form,
        extents: impl Iterator<Item = Result<Extent, Failure>>,
        out: impl Write,
    ) -> Result<(), Failure> {
        let out = BufWriter::with_capacity(BUFFER, out);
        let style = match form {
            Form::Intervals => Style::Intervals,
            Form::List => Style::List,
            Form::Map => {
                let mut writer = MapWriter::new(out, &self.files)?;
                for extent in extents {
                    writer.push(extent?)?;
                }
                return writer.finish();
            }
        };
        let writer = DocumentWriter::new(out, style, self.virtual_size, self.cluster_bits);
        let mut writer = writer.map_err(|e| write_failure(&e))?;
        for extent in extents {
            let extent = extent?;
            if let Some((first, last)) = touched(extent.start, extent.end(), self.cluster_bits)
                && extent.is_data()
            {
                writer.push(first, last).map_err(|e| write_failure(&e))?;
            }
        }
        writer.finish().map_err(|e| write_failure(&e))
    }
}
