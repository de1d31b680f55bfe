//! The map, written: as qemu-img does, entry by entry, and beside every offset the name of the file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::document::map::file_state::FileState;
use crate::extent::stored::{CompressedCluster, Stored};
use crate::extent::{Content, Extent};
use crate::failure::Failure;

/// Streams a map; its closing bracket is written by [`MapWriter::finish`] alone.
#[derive(Debug)]
pub struct MapWriter<W> {
    out: W,
    /// For each layer the file its data lies in; empty when offsets mean nothing.
    files: Vec<Named>,
    /// What the first entry says of the disk, until it is written.
    virtual_size: Option<u64>,
    /// The extent that the next one may still continue.
    pending: Option<Extent>,
    written: bool,
}

/// A file that offsets of a map belong to.
#[derive(Clone, Debug)]
pub struct MapFile {
    /// Its name.
    pub name: PathBuf,
    /// In which state the map describes it. It must have been taken before anything was read from the file.
    pub state: FileState,
}

#[derive(Debug)]
struct Named {
    /// As a JSON string.
    name: String,
    /// As a JSON object, until it is written beside the name.
    state: Option<String>,
}

impl<W: Write> MapWriter<W> {
    /// A map whose offsets belong to `files`, one a layer; without any, no offsets are written. The first entry that names
    /// a file says its state too.
    ///
    /// A file name that is not UTF-8 cannot be said in JSON: status 4.
    pub fn new(out: W, files: &[MapFile]) -> Result<Self, Failure> {
        let named =
            |file: &MapFile| Ok(Named { name: json_string(&file.name)?, state: Some(json(&file.state)?) });
        let files = files.iter().map(named).collect::<Result<_, Failure>>()?;
        Ok(MapWriter { out, files, virtual_size: None, pending: None, written: false })
    }

    /// Lets the first entry say that the disk has `virtual_size` bytes, for readers that follow the map and show how far
    /// they are. The map must end there.
    #[must_use]
    pub fn with_virtual_size(mut self, virtual_size: u64) -> Self {
        self.virtual_size = Some(virtual_size);
        self
    }

    /// Adds the extent that follows the last one; extents that lie together in the guest and in the file become one.
    pub fn push(&mut self, extent: Extent) -> Result<(), Failure> {
        match &mut self.pending {
            Some(last) if last.continues_in(&extent) => last.length += extent.length,
            pending => {
                if let Some(extent) = pending.replace(extent) {
                    self.write_entry(&extent).map_err(|e| Failure::output(&e))?;
                }
            }
        }
        Ok(())
    }

    fn write_entry(&mut self, extent: &Extent) -> io::Result<()> {
        let out = &mut self.out;
        let Extent { start, length, layer, content } = *extent;
        let present = content != Content::Absent;
        let data = extent.is_data();
        let compressed = matches!(content, Content::Data(Stored::Compressed(_)));
        out.write_all(if self.written { b",\n" } else { b"[" })?;
        // By hand, as maps have entries by the million.
        let mut number = itoa::Buffer::new();
        let word = |is: bool| if is { "true" } else { "false" };
        for (key, value) in
            [("{ \"start\": ", start), (", \"length\": ", length), (", \"depth\": ", layer.into())]
        {
            out.write_all(key.as_bytes())?;
            out.write_all(number.format(value).as_bytes())?;
        }
        let words = [("present", present), ("zero", !data), ("data", data), ("compressed", compressed)];
        for (key, value) in words {
            for part in [", \"", key, "\": ", word(value)] {
                out.write_all(part.as_bytes())?;
            }
        }
        if let Some(size) = self.virtual_size.take() {
            write!(out, ", \"virtual_size\": {size}")?;
        }
        if let (Some(Named { name, state }), Content::Data(stored)) =
            (self.files.get_mut(usize::from(layer)), content)
        {
            let (Stored::Plain { offset } | Stored::Compressed(CompressedCluster { offset, .. })) = stored;
            if let Some(state) = state.take() {
                write!(out, ", \"state\": {state}")?;
            }
            for part in [", \"offset\": ", number.format(offset), ", \"filename\": ", name] {
                out.write_all(part.as_bytes())?;
            }
            if let Stored::Compressed(cluster) = stored {
                let CompressedCluster { host_length, cluster_size, skip, compression, .. } = cluster;
                write!(out, ", \"host_length\": {host_length}, \"compression\": ")?;
                serde_json::to_writer(&mut *out, &compression)?;
                write!(out, ", \"cluster_size\": {cluster_size}, \"skip\": {skip}")?;
            }
        }
        self.written = true;
        out.write_all(b"}")
    }

    /// Completes the map and flushes it.
    pub fn finish(mut self) -> Result<(), Failure> {
        let mut end = || {
            if let Some(extent) = self.pending.take() {
                self.write_entry(&extent)?;
            }
            self.out.write_all(if self.written { b"]\n" } else { b"[]\n" })?;
            self.out.flush()
        };
        end().map_err(|e| Failure::output(&e))
    }
}

fn json(state: &FileState) -> Result<String, Failure> {
    serde_json::to_string(state).map_err(|error| Failure::system(format!("cannot write a state: {error}")))
}

fn json_string(file: &Path) -> Result<String, Failure> {
    let name = file.to_str().ok_or_else(|| {
        Failure::unsupported("the file name is not UTF-8, and a map cannot say it: rename the file")
            .in_file(file)
    })?;
    Ok(serde_json::Value::from(name).to_string())
}

#[cfg(test)]
mod tests;
