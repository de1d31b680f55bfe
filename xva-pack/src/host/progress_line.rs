//! The one line that a bar is: which parts it has in a terminal so wide, and numbers whose width never changes.

use std::time::Duration;

use indicatif::ProgressState;

/// The longest name that is shown, in columns.
const MAX_NAME: usize = 24;

/// Room for `Ref:000 1/2`, so that the bars of disks stand below each other, and that of `checking` below them.
pub(crate) const MIN_NAME: usize = 11;

/// The narrowest bar that still says something, with its brackets.
const MIN_BAR: usize = 8;

/// Columns between two parts of the line.
const GAP: usize = 2;

/// A name, of any origin, in printable ASCII.
pub(crate) fn shown(name: &str) -> String {
    let mut name: String = name.chars().flat_map(char::escape_default).collect();
    if name.len() > MAX_NAME {
        name.truncate(MAX_NAME - 3);
        name.push_str("...");
    }
    name
}

/// A part of the line: how the template of indicatif has it, how wide it is at least, and which of them are left out first where the
/// terminal is too narrow for all.
pub(crate) type Part = (String, usize, u8);

pub(crate) fn parts(name_width: usize, total: Option<u64>, is_one_of_several: bool) -> Vec<Part> {
    let part = |template: &str, width, rank| (template.to_owned(), width, rank);
    let mut parts = Vec::new();
    if name_width > 0 {
        parts.push(part("{name}", name_width, 5));
    }
    if total.is_some() {
        parts.push(part("[{wide_bar}]", MIN_BAR, 4));
        parts.push(part("{share}", 4, 7));
    }
    let amount_width = amount(0, total).len();
    parts.push(part("{amount}", amount_width, if total.is_some() { 1 } else { 7 }));
    parts.push(part("{rate}", rate(0.0).len(), 2));
    parts.push(part("{time}", clock("ETA", None).len(), 6));
    if is_one_of_several && total.is_some() {
        parts.push(part("{all}", "all 100%".len(), 3));
    }
    parts
}

/// The template of a line that has no more than `columns` columns.
pub(crate) fn template(mut parts: Vec<Part>, columns: usize) -> String {
    let width = |parts: &[Part]| parts.iter().map(|part| part.1 + GAP).sum::<usize>().saturating_sub(GAP);
    while width(&parts) > columns && parts.len() > 1 {
        let first = parts.iter().map(|part| part.2).min();
        parts.retain(|part| Some(part.2) != first);
    }
    let templates: Vec<String> = parts.into_iter().map(|part| part.0).collect();
    templates.join(&" ".repeat(GAP))
}

/// Rounded down, so that 100 means done.
pub(crate) fn percent(done: u64, total: u64) -> Option<u64> {
    let share = u128::from(done.min(total)) * 100;
    share.checked_div(u128::from(total)).and_then(|percent| u64::try_from(percent).ok())
}

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// The unit in which `bytes` has one to four digits before the point, and the bytes of that unit.
fn unit(bytes: f64) -> (&'static str, f64) {
    let mut size = 1.0;
    for unit in UNITS {
        if bytes < size * 1024.0 || unit == "EiB" {
            return (unit, size);
        }
        size *= 1024.0;
    }
    ("B", 1.0)
}

/// Both in the unit of the total, and always as wide: `1.2/10.0 GiB`.
#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
pub(crate) fn amount(done: u64, total: Option<u64>) -> String {
    let Some(total) = total else {
        let (name, size) = unit(done as f64);
        return format!("{:>6.*} {name:<3}", usize::from(name != "B"), done as f64 / size);
    };
    let (name, size) = unit(total as f64);
    let decimals = match total as f64 / size {
        whole if name == "B" || whole >= 100.0 => 0,
        whole if whole >= 10.0 => 1,
        _ => 2,
    };
    let whole = format!("{:.decimals$}", total as f64 / size);
    format!("{:>1$.decimals$}/{whole} {name}", done as f64 / size, whole.len())
}

/// `9.8 MiB/s`, always as wide.
pub(crate) fn rate(bytes: f64) -> String {
    let (name, size) = unit(bytes);
    let number = bytes / size;
    let decimals = usize::from(number < 9.95 && name != "B");
    format!("{:>10}", format!("{number:.decimals$} {name}/s"))
}

/// The time that is left, or at the end the time that it took.
pub(crate) fn time(state: &ProgressState) -> String {
    if state.is_finished() && state.len().is_some_and(|total| state.pos() >= total) {
        return clock("in", Some(state.elapsed()));
    }
    if state.len().is_none() {
        return clock("", Some(state.elapsed()));
    }
    let left = state.eta();
    clock("ETA", (!left.is_zero()).then_some(left))
}

/// A time after a word, always as wide: hours, minutes and seconds, or from ten hours on without seconds.
fn clock(word: &str, time: Option<Duration>) -> String {
    let time = time.map_or_else(
        || "-:--:--".to_owned(),
        |time| {
            let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
            match hours {
                0..10 => format!("{hours}:{minutes:02}:{:02}", time.as_secs() % 60),
                10..1000 => format!("{hours}h{minutes:02}m"),
                _ => "long".to_owned(),
            }
        },
    );
    format!("{:>11}", format!("{word} {time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_hundred_is_reached_only_at_the_end_and_never_passed() {
        assert_eq!(percent(999, 1000), Some(99));
        assert_eq!(percent(u64::MAX, u64::MAX), Some(100));
        assert_eq!(percent(5, 1), Some(100));
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn the_line_fits_every_terminal_and_keeps_what_matters_most() {
        for several in [false, true] {
            for total in [None, Some(GIB), Some(u64::MAX)] {
                let all = parts(MAX_NAME + 8, total, several);
                let narrowest = all.iter().filter(|part| part.2 == 7).map(|part| part.1).sum::<usize>();
                for columns in 0..200 {
                    let template = template(all.clone(), columns);
                    let kept: Vec<&Part> = all.iter().filter(|part| template.contains(&part.0)).collect();
                    let width = kept.iter().map(|part| part.1 + GAP).sum::<usize>() - GAP;
                    assert!(width <= columns.max(narrowest), "{columns}: {template}");
                    assert!(columns < 120 || kept.len() == all.len(), "{columns}: {template}");
                    assert!(kept.iter().any(|part| part.2 == 7), "{columns}: {template}");
                }
            }
        }
    }

    #[test]
    fn no_number_is_wider_than_its_column() {
        let sizes =
            || (0..64).flat_map(|bits| [(1 << bits) - 1, 1 << bits, 3 << bits >> 1]).chain([u64::MAX]);
        for total in sizes() {
            let width = amount(0, Some(total)).len();
            assert!(width <= 15, "{}", amount(0, Some(total)));
            for done in sizes().filter(|done| *done <= total) {
                assert_eq!(amount(done, Some(total)).len(), width, "{}", amount(done, Some(total)));
            }
            assert_eq!(amount(total, None).len(), amount(0, None).len(), "{}", amount(total, None));
        }
        for bits in -10..64 {
            for factor in [1.0, 1.37, 1.95, 1.999] {
                let shown = rate(f64::from(bits).exp2() * factor);
                assert_eq!(shown.len(), rate(0.0).len(), "{shown}");
            }
        }
        for seconds in [0, 59, 3600, 35_999, 36_000, 3_599_999, 3_600_000, u64::MAX] {
            let shown = clock("ETA", Some(Duration::from_secs(seconds)));
            assert_eq!(shown.len(), clock("ETA", None).len(), "{shown}");
        }
        assert_eq!(amount(GIB / 2, Some(10 * GIB)), " 0.5/10.0 GiB");
        assert_eq!(amount(GIB / 2, Some(2 * GIB)), "0.50/2.00 GiB");
        assert_eq!(amount(99 * GIB, Some(500 * GIB)), " 99/500 GiB");
        assert_eq!(rate(9.8 * 1024.0 * 1024.0), " 9.8 MiB/s");
        assert_eq!(clock("ETA", Some(Duration::from_secs(45_296))), " ETA 12h34m");
    }

    #[test]
    fn a_name_of_any_origin_is_one_short_word_of_the_terminal() {
        assert_eq!(shown("Ref:000"), "Ref:000");
        assert_eq!(shown("\x1b[2J\r"), "\\u{1b}[2J\\r");
        assert!(shown(&"ü".repeat(100)).len() <= MAX_NAME);
        assert!(shown(&"ü".repeat(100)).is_ascii());
    }
}
