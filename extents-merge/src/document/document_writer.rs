//! The extents document, written: `{"virtual_size":N,"cluster_bits":N,"data_clusters":[[first,last],...]}`.
//!
//! The keys, their order and the missing spaces are those of xapi's `vhd-tool read_headers_interval`.

use std::io::{self, Write};

/// Streams a document: its closing brackets are written by [`DocumentWriter::finish`] alone, so that a document is
/// complete only if everything before it went well.
#[derive(Debug)]
pub struct DocumentWriter<W> {
    out: W,
    /// Every cluster number is written, in place of runs.
    list: bool,
    /// The run that the next one may still touch, first and last inclusive.
    pending: Option<(u64, u64)>,
    written: bool,
}

impl<W: Write> DocumentWriter<W> {
    /// A document with inclusive `[first,last]` runs. `virtual_size` in bytes, a cluster is 2^`cluster_bits` bytes.
    pub fn intervals(out: W, virtual_size: u64, cluster_bits: u32) -> io::Result<Self> {
        DocumentWriter::new(out, false, virtual_size, cluster_bits)
    }

    /// A document with every cluster number, as `vhd-tool read_headers` prints it.
    pub fn list(out: W, virtual_size: u64, cluster_bits: u32) -> io::Result<Self> {
        DocumentWriter::new(out, true, virtual_size, cluster_bits)
    }

    fn new(mut out: W, list: bool, virtual_size: u64, cluster_bits: u32) -> io::Result<Self> {
        write!(out, "{{\"virtual_size\":{virtual_size},\"cluster_bits\":{cluster_bits},\"data_clusters\":[")?;
        Ok(DocumentWriter { out, list, pending: None, written: false })
    }

    /// Adds the clusters `first..=last`. `first` must not lie before that of the run pushed last; runs that touch or
    /// overlap become one.
    pub fn push(&mut self, first: u64, last: u64) -> io::Result<()> {
        match &mut self.pending {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            pending => {
                if let Some((first, last)) = pending.replace((first, last)) {
                    self.write_run(first, last)?;
                }
            }
        }
        Ok(())
    }

    fn write_run(&mut self, first: u64, last: u64) -> io::Result<()> {
        let mut number = itoa::Buffer::new();
        if self.list {
            for cluster in first..=last {
                if self.written || cluster > first {
                    self.out.write_all(b",")?;
                }
                self.out.write_all(number.format(cluster).as_bytes())?;
            }
        } else {
            self.out.write_all(if self.written { b",[" } else { b"[" })?;
            self.out.write_all(number.format(first).as_bytes())?;
            self.out.write_all(b",")?;
            self.out.write_all(number.format(last).as_bytes())?;
            self.out.write_all(b"]")?;
        }
        self.written = true;
        Ok(())
    }

    /// Completes the document and flushes it.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some((first, last)) = self.pending.take() {
            self.write_run(first, last)?;
        }
        self.out.write_all(b"]}\n")?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(list: bool, runs: &[(u64, u64)]) -> String {
        let mut out = Vec::new();
        let mut writer = DocumentWriter::new(&mut out, list, 10_737_418_240, 21).unwrap();
        for &(first, last) in runs {
            writer.push(first, last).unwrap();
        }
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn runs_and_lists_are_what_vhd_tool_prints() {
        let runs = [(0, 1), (2, 3), (3, 3), (7, 7)];
        let head = "{\"virtual_size\":10737418240,\"cluster_bits\":21,\"data_clusters\":";
        assert_eq!(document(false, &runs), format!("{head}[[0,3],[7,7]]}}\n"));
        assert_eq!(document(true, &runs), format!("{head}[0,1,2,3,7]}}\n"));
        assert_eq!(document(true, &[]), format!("{head}[]}}\n"));
    }

    #[test]
    fn an_unfinished_document_is_not_complete() {
        let mut out = Vec::new();
        DocumentWriter::intervals(&mut out, 1 << 20, 20).unwrap().push(0, 0).unwrap();
        assert!(!out.ends_with(b"\n") && !out.contains(&b']'));
    }
}
