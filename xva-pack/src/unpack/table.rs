//! The table of disks that `xva-unpack` prints, for people and for `awk`: one line a disk, columns without spaces, the
//! name last.

use std::fmt::Write;

use clap::ValueEnum;
use extents::document::summary::Size;

use crate::unpack::report::DiskReport;
use crate::xva::checksum::Algorithm;

const HEADINGS: [&str; 8] = ["DISK", "SIZE", "BLOCKS", "OF", "SHARE", "CHECKSUMS", "CRC32", "STATE"];

/// Characters of a name that are shown: every column is as wide as its longest cell, and a name in an archive can have
/// thousands.
const MAX_NAME: usize = 100;

/// The table, ready to print. On a terminal, where no `awk` reads it, sizes are also said in GiB and the like.
pub fn table(disks: &[DiskReport], on_terminal: bool) -> String {
    let rows: Vec<[String; 8]> = disks.iter().map(|disk| row(disk, on_terminal)).collect();
    let mut widths = HEADINGS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    // Beside the sizes for people it would be wider than a terminal of 80 columns.
    let gap = if on_terminal { " " } else { "  " };
    let mut text = String::new();
    let mut line = |cells: [&str; 8], name: &str| {
        let mut columns = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let _ = write!(columns, "{cell:width$}{gap}");
        }
        let _ = writeln!(text, "{}", (columns + name).trim_end());
    };
    line(HEADINGS, "NAME");
    for (row, disk) in rows.iter().zip(disks) {
        line(row.each_ref().map(String::as_str), &printable(&disk.name));
    }
    text
}

fn row(disk: &DiskReport, on_terminal: bool) -> [String; 8] {
    let size = disk.wanted_size;
    [
        printable(&disk.prefix).replace(' ', "\\u{20}"),
        if on_terminal { format!("{size} ({})", Size(size)) } else { size.to_string() },
        disk.blocks.to_string(),
        disk.blocks_of_disk.to_string(),
        share(disk.bytes, disk.size),
        checksums(disk).unwrap_or_else(|| "-".to_owned()),
        disk.crc32.map_or_else(|| "-".to_owned(), |crc| format!("{crc:08x}")),
        state(disk).to_owned(),
    ]
}

/// What is known of a disk, in a word.
pub(crate) fn state(disk: &DiskReport) -> &'static str {
    match (disk.whole, disk.crc32, disk.sampled) {
        (false, ..) => "damaged",
        (true, Some(_), _) => "whole",
        (true, None, 0) => "unchecked",
        (true, None, _) => "sampled",
    }
}

/// How many of the disk's bytes are in the archive, with one decimal.
fn share(bytes: u64, size: u64) -> String {
    let tenths = u128::from(bytes) * 1000;
    match tenths.checked_div(u128::from(size)) {
        Some(tenths) => format!("{}.{}%", tenths / 10, tenths % 10),
        None => "-".to_owned(),
    }
}

/// The kinds of checksum of its blocks, `none` among them where one has no checksum, joined by `+`; nothing without blocks.
pub(crate) fn checksums(disk: &DiskReport) -> Option<String> {
    let values = disk.algorithms.iter().filter_map(Algorithm::to_possible_value);
    let mut names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
    if disk.unchecked > 0 {
        names.push("none".to_owned());
    }
    (!names.is_empty()).then(|| names.join("+"))
}

/// The beginning of a name, without anything that moves the cursor.
fn printable(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars().take(MAX_NAME) {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    if name.chars().nth(MAX_NAME).is_some() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> DiskReport {
        DiskReport {
            prefix: "Ref:0".to_owned(),
            name: "my\ndisk".to_owned(),
            size: 3 << 20,
            blocks: 2,
            blocks_of_disk: 3,
            bytes: 2 << 20,
            sampled: 0,
            algorithms: vec![Algorithm::Xxhash, Algorithm::Sha1],
            unchecked: 1,
            wanted_size: 3 << 20,
            crc32: Some(0xabc),
            whole: true,
        }
    }

    #[test]
    fn a_disk_is_a_line_whatever_its_name_is() {
        assert_eq!(
            table(&[disk()], false),
            "DISK   SIZE     BLOCKS  OF  SHARE  CHECKSUMS         CRC32     STATE  NAME\n\
             Ref:0  3145728  2       3   66.6%  xxhash+sha1+none  00000abc  whole  my\\ndisk\n"
        );
    }

    #[test]
    fn on_a_terminal_a_size_is_also_one_for_people() {
        let text = table(&[disk()], true);
        assert!(text.contains("\nRef:0 3145728 (3 MiB) 2 "), "{text}");
        let large = DiskReport {
            prefix: "Ref:000".to_owned(),
            wanted_size: 2 << 40,
            algorithms: vec![Algorithm::Xxhash],
            unchecked: 0,
            crc32: None,
            ..disk()
        };
        assert!(table(&[large], true).lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn a_long_name_makes_no_wide_table() {
        let long = DiskReport { prefix: "x".repeat(60_000), name: "\u{1}".repeat(60_000), ..disk() };
        let text = table(&[long, disk()], false);
        assert!(text.lines().all(|line| line.len() < 1000), "{}", text.len());
        assert!(text.contains("xxx...  3145728 "));
    }

    #[test]
    fn the_size_is_that_of_which_the_crc_is() {
        assert!(
            table(&[DiskReport { wanted_size: 3_000_000, ..disk() }], false).contains("Ref:0  3000000  2 ")
        );
    }
}
