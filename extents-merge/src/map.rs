//! The map, written: the array of `qemu-img map --output=json`, and beside every offset the file it belongs to.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::piece::{Compression, Content, Piece};
use crate::stdout::write_failure;

/// Streams a map; its closing bracket is written by [`MapWriter::finish`] alone.
#[derive(Debug)]
pub struct MapWriter<W> {
    out: W,
    /// For each layer the name of the file its data lies in, as a JSON string; empty when offsets mean nothing.
    names: Vec<String>,
    /// The piece that the next one may still continue.
    pending: Option<Piece>,
    written: bool,
}

impl<W: Write> MapWriter<W> {
    /// A map whose offsets belong to `files`, one a layer; without any, no offsets are written.
    ///
    /// A file name that is not UTF-8 can not be said in JSON: status 4.
    pub fn new(out: W, files: &[PathBuf]) -> Result<Self, Failure> {
        let names = files.iter().map(|file| json_string(file)).collect::<Result<_, _>>()?;
        Ok(MapWriter { out, names, pending: None, written: false })
    }

    /// Adds the piece that follows the last one; pieces that lie together in the guest and in the file become one.
    pub fn push(&mut self, piece: Piece) -> Result<(), Failure> {
        match &mut self.pending {
            Some(last) if last.continues_in(&piece) => last.length += piece.length,
            pending => {
                if let Some(piece) = pending.replace(piece) {
                    self.write_entry(&piece).map_err(|e| write_failure(&e))?;
                }
            }
        }
        Ok(())
    }

    fn write_entry(&mut self, piece: &Piece) -> io::Result<()> {
        let out = &mut self.out;
        let Piece { start, length, layer, content } = *piece;
        let present = content != Content::Absent;
        let data = piece.is_data();
        let compressed = matches!(content, Content::Compressed(_));
        out.write_all(if self.written { b",\n" } else { b"[" })?;
        write!(
            out,
            "{{ \"start\": {start}, \"length\": {length}, \"depth\": {layer}, \"present\": {present}, \
             \"zero\": {}, \"data\": {data}, \"compressed\": {compressed}",
            !data
        )?;
        if let Some(name) = self.names.get(usize::from(layer)) {
            match content {
                Content::Absent | Content::Zero => {}
                Content::Data { offset } => write!(out, ", \"offset\": {offset}, \"filename\": {name}")?,
                Content::Compressed(cluster) => write!(
                    out,
                    ", \"offset\": {}, \"filename\": {name}, \"host_length\": {}, \"compression\": \"{}\", \
                     \"cluster_size\": {}, \"skip\": {}",
                    cluster.offset,
                    cluster.host_length,
                    match cluster.compression {
                        Compression::Zlib => "zlib",
                        Compression::Zstd => "zstd",
                    },
                    cluster.cluster_size,
                    cluster.skip
                )?,
            }
        }
        self.written = true;
        out.write_all(b"}")
    }

    /// Completes the map and flushes it.
    pub fn finish(mut self) -> Result<(), Failure> {
        let mut end = || {
            if let Some(piece) = self.pending.take() {
                self.write_entry(&piece)?;
            }
            self.out.write_all(if self.written { b"]\n" } else { b"[]\n" })?;
            self.out.flush()
        };
        end().map_err(|e| write_failure(&e))
    }
}

fn json_string(file: &Path) -> Result<String, Failure> {
    let name = file.to_str().ok_or_else(|| {
        Failure::unanswerable("the file name is not UTF-8, and a map can not say it: rename the file")
            .in_file(file)
    })?;
    Ok(serde_json::Value::from(name).to_string())
}
