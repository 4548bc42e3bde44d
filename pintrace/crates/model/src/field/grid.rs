//! Lays out rows and columns as text: widths, alignment, and the columns that are left out if the width is too small.

use pintrace_events::units::Nanos;
use pintrace_text::{pad_left, pad_right, width as columns_of, wrap};

use super::{Align, Field};

/// Spaces between two columns.
const GAP: usize = 2;
/// Least width of the last column, which takes the rest of the line.
const LAST_MIN: usize = 8;
/// Width of the last column for which other columns are left out: a command name is whole.
const LAST_WHOLE: usize = 15;

/// The format of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// Large counts with a unit prefix, such as 315M.
    Few,
    /// All digits.
    All,
}

/// The cells of one column, the heading first.
struct Laid {
    cells: Vec<String>,
    align: Align,
    drop_rank: u8,
    width: usize,
}

/// Returns the lines of a table at `now`, the heading first, no wider than `width`. A table that is too wide loses columns in
/// the order of `drop_rank`, the highest first; columns of rank 0 stay. Then the last column is cut to fit.
#[must_use]
pub fn lines<T>(columns: &[&Field<T>], rows: &[&T], now: Nanos, width: usize, digits: Digits) -> Vec<String> {
    let lay = |column: &&Field<T>| lay(column, rows, now, digits);
    let mut laid: Vec<Laid> = columns.iter().map(lay).collect();
    while needed(&laid) > width {
        let droppable = laid
            .iter()
            .map(|column| column.drop_rank)
            .max()
            .filter(|rank| *rank > 0);
        let Some(rank) = droppable else { break };
        laid.retain(|column| column.drop_rank != rank);
    }
    squeeze(&mut laid, width);
    (0..=rows.len()).map(|row| line(&laid, row)).collect()
}

fn lay<T>(column: &Field<T>, rows: &[&T], now: Nanos, digits: Digits) -> Laid {
    let values = rows.iter().map(|row| match digits {
        Digits::Few => (column.value)(row).at(now).text(),
        Digits::All => (column.value)(row).at(now).exact(),
    });
    let cells: Vec<String> = std::iter::once(column.title.to_owned()).chain(values).collect();
    let width = cells.iter().map(|cell| columns_of(cell)).max().unwrap_or(0);
    Laid {
        cells,
        align: column.align,
        drop_rank: column.drop_rank,
        width,
    }
}

/// Returns the width of the table with the last column cut to [`LAST_WHOLE`].
fn needed(laid: &[Laid]) -> usize {
    let widths: usize = laid.iter().map(|column| column.width).sum();
    let last = laid.last().map_or(0, |column| column.width);
    widths - last + last.min(LAST_WHOLE) + GAP * laid.len().saturating_sub(1)
}

fn squeeze(laid: &mut [Laid], width: usize) {
    let Some((last, others)) = laid.split_last_mut() else {
        return;
    };
    let taken: usize = others.iter().map(|column| column.width + GAP).sum();
    last.width = last.width.min(width.saturating_sub(taken).max(LAST_MIN));
}

fn line(laid: &[Laid], row: usize) -> String {
    let mut line = String::new();
    for (index, column) in laid.iter().enumerate() {
        if index > 0 {
            line.push_str(&" ".repeat(GAP));
        }
        let cell = column.cells.get(row).map_or("", String::as_str);
        line.push_str(&match column.align {
            Align::Left => pad_right(cell, column.width),
            Align::Right => pad_left(cell, column.width),
        });
    }
    line.truncate(line.trim_end().len());
    line
}

/// Returns the line unchanged if the line fits, and else the words of the line on several lines.
#[must_use]
pub fn fitted(line: &str, width: usize) -> Vec<String> {
    if columns_of(line) <= width {
        vec![line.to_owned()]
    } else {
        wrap(line, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_does_not_fit_is_wrapped() {
        assert_eq!(fitted("lost 0   probes 17", 18), ["lost 0   probes 17"]);
        assert_eq!(fitted("lost 0   probes 17", 17), ["lost 0 probes 17"]);
        assert_eq!(
            fitted("memory scanned: no tracer", 16),
            ["memory scanned:", "no tracer"]
        );
        assert_eq!(fitted("unaccounted 0", 6), ["unacco", "unted", "0"]);
    }
}
