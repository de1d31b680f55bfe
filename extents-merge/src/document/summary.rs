//! `--summary`: what a disk looks like, for people: its sizes in words, and a picture of where the data is.

use std::fmt;

use crate::extent::length::in_memory;
use crate::extent::rescale::{bytes_of, touched};
use crate::extent::unit_set::UnitSet;

/// Cells in a line of the picture; with its label and frame a line has 78 columns.
const COLUMNS: usize = 64;

/// Lines of the picture of a disk that has enough blocks to fill them.
const MAX_LINES: usize = 4;

/// log2 of XVA's block, the smallest thing that the picture shows.
const BLOCK_BITS: u32 = 20;

/// The sizes and the picture of one disk.
#[derive(Debug)]
pub struct Summary {
    virtual_size: u64,
    /// Bytes in the runs.
    allocated: u64,
    runs: u64,
    /// 1 MiB blocks that the runs touch.
    blocks: u64,
    /// Bytes that a cell of the picture stands for.
    cell: u64,
    /// Allocated bytes in each cell.
    cells: Vec<u64>,
}

impl Summary {
    /// Looks at a disk of `virtual_size` bytes whose data lies in units of 2^`unit_bits` bytes.
    pub fn new(data: &UnitSet, unit_bits: u32, virtual_size: u64) -> Self {
        let cell = virtual_size.div_ceil((COLUMNS * MAX_LINES) as u64).div_ceil(1 << BLOCK_BITS).max(1)
            << BLOCK_BITS;
        let count = in_memory(virtual_size.div_ceil(cell));
        let mut summary =
            Summary { virtual_size, allocated: 0, runs: 0, blocks: 0, cell, cells: vec![0; count] };
        let mut next_block = 0;
        for (start, end) in
            data.runs().filter_map(|(first, last)| bytes_of(first, last, unit_bits, virtual_size))
        {
            summary.runs += 1;
            summary.allocated += end - start;
            if let Some((first, last)) = touched(start, end, BLOCK_BITS) {
                summary.blocks += last + 1 - first.max(next_block).min(last + 1);
                next_block = last + 1;
            }
            summary.paint(start, end);
        }
        summary
    }

    fn paint(&mut self, start: u64, end: u64) {
        let mut from = start;
        while from < end {
            let cell = from / self.cell;
            let until = (cell + 1).saturating_mul(self.cell).min(end);
            self.cells[in_memory(cell)] += until - from;
            from = until;
        }
    }

    /// How full a cell is; the least data shows, and only a whole cell is full.
    fn shade(&self, cell: usize) -> char {
        let first = cell as u64 * self.cell;
        let size = self.cell.min(self.virtual_size - first);
        match self.cells[cell] {
            0 => '·',
            bytes if bytes >= size => '█',
            bytes if bytes > size / 4 * 3 => '▓',
            bytes if bytes > size / 4 => '▒',
            _ => '░',
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} disk ({} bytes), {} allocated ({}), {}, {} of 1 MiB",
            Size(self.virtual_size),
            self.virtual_size,
            Size(self.allocated),
            Percent(self.allocated, self.virtual_size),
            Count(self.runs, "run"),
            Count(self.blocks, "block")
        )?;
        let cells: Vec<char> = (0..self.cells.len()).map(|cell| self.shade(cell)).collect();
        for (line, cells) in cells.chunks(COLUMNS).enumerate() {
            let start = (line * COLUMNS) as u64 * self.cell;
            writeln!(f, "{:>10} │{}│", Size(start).to_string(), cells.iter().collect::<String>())?;
        }
        if !cells.is_empty() {
            writeln!(f, "{:>10}  █ full  ▓▒░ in part  · empty; {} a cell", "", Size(self.cell))?;
        }
        Ok(())
    }
}

/// Bytes in the largest binary unit that leaves at least 1, with one decimal unless it is whole.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let exponent = self.0.checked_ilog2().unwrap_or(0) / 10;
        let unit = 1_u64 << (10 * exponent);
        let name = UNITS[exponent as usize];
        let tenths = (u128::from(self.0 % unit) * 10) / u128::from(unit);
        if self.0.is_multiple_of(unit) {
            write!(f, "{} {name}", self.0 / unit)
        } else {
            write!(f, "{}.{tenths} {name}", self.0 / unit)
        }
    }
}

/// How many of what a noun names: `1 run`, `2 runs`.
#[derive(Clone, Copy, Debug)]
pub struct Count<'a>(pub u64, pub &'a str);

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A share in whole percent; something is never 0, and not everything is never 100.
struct Percent(u64, u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Percent(0, _) => f.write_str("0 %"),
            Percent(part, whole) if part >= whole => f.write_str("100 %"),
            Percent(part, whole) => match u128::from(part) * 100 / u128::from(whole) {
                0 => f.write_str("less than 1 %"),
                percent => write!(f, "{percent} %"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(virtual_size: u64, unit_bits: u32, runs: &[(u64, u64)]) -> Summary {
        let mut data = UnitSet::new();
        for &(first, last) in runs {
            data.insert(first, last).unwrap();
        }
        Summary::new(&data, unit_bits, virtual_size)
    }

    #[test]
    fn two_runs_in_one_block_are_one_block() {
        let summary = summary(10 << 20, 9, &[(0, 0), (7, 7), (2047, 2048), (4100, 4200)]);
        assert_eq!((summary.runs, summary.blocks, summary.allocated), (4, 3, (1 + 1 + 2 + 101) << 9));
    }

    #[test]
    fn a_single_sector_shows_in_a_large_disk_and_a_full_one_is_full() {
        let one = summary(2 << 40, 9, &[(3 << 30, 3 << 30)]).to_string();
        assert_eq!(one.matches('░').count() - 1, 1, "{one}");
        let full = summary(3_500_000, 20, &[(0, 3)]).to_string();
        assert!(
            full.contains("3.3 MiB disk (3500000 bytes), 3.3 MiB allocated (100 %), 1 run, 4 blocks"),
            "{full}"
        );
        assert!(full.contains("│████│"), "{full}");
    }

    #[test]
    fn every_line_fits_eighty_columns() {
        for size in [0, 1, 1 << 20, 1 << 30, 1 << 45, u64::MAX] {
            let text = summary(size, 30, &[(0, 0)]).to_string();
            assert!(text.lines().skip(1).all(|line| line.chars().count() <= 80), "{text}");
        }
    }
}
