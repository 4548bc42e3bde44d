//! Rows and columns as text: widths, alignment, and which columns go when room is short.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use pintrace_model::field::{Align, Field};

/// Between two columns.
const GAP: usize = 2;
/// What the last column, which takes what is left, is not squeezed below.
const LAST_MIN: usize = 8;

/// How counts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    /// Shortened where they are many: for reading at a glance.
    Few,
    /// Every one: for adding up.
    All,
}

/// A column that is laid out: its cells, with the heading on top.
struct Laid {
    cells: Vec<String>,
    align: Align,
    drop_rank: u8,
    width: usize,
}

/// Lines of a table no wider than `width`, the heading first. The last column is cut to fit; before
/// that, columns go in the order of their rank, as far as their ranks allow.
pub(super) fn lines<T>(columns: &[&Field<T>], rows: &[&T], width: usize, digits: Digits) -> Vec<String> {
    let mut laid: Vec<Laid> = columns.iter().map(|column| lay(column, rows, digits)).collect();
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

fn lay<T>(column: &Field<T>, rows: &[&T], digits: Digits) -> Laid {
    let values = rows.iter().map(|row| match digits {
        Digits::Few => (column.value)(row).text(),
        Digits::All => (column.value)(row).exact(),
    });
    let cells: Vec<String> = std::iter::once(column.title.to_owned()).chain(values).collect();
    let width = cells.iter().map(|cell| cell.width()).max().unwrap_or(0);
    Laid {
        cells,
        align: column.align,
        drop_rank: column.drop_rank,
        width,
    }
}

/// Width with the last column squeezed.
fn needed(laid: &[Laid]) -> usize {
    let widths: usize = laid.iter().map(|column| column.width).sum();
    let last = laid.last().map_or(0, |column| column.width);
    widths - last + last.min(LAST_MIN) + GAP * laid.len().saturating_sub(1)
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
        let cell = column
            .cells
            .get(row)
            .map(|cell| cut(cell, column.width))
            .unwrap_or_default();
        let padding = " ".repeat(column.width.saturating_sub(cell.width()));
        match column.align {
            Align::Left => line.extend([cell.as_str(), &padding]),
            Align::Right => line.extend([padding.as_str(), &cell]),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Text no wider than `width`; an ellipsis stands for what is gone.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// Words on lines of at most `width`, each behind so many spaces.
pub(super) fn indented(words: &str, by: usize, width: usize) -> Vec<String> {
    let margin = " ".repeat(by);
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{margin}{word}")),
        }
    }
    lines
}

/// A line as it is if it fits, else its words on several, so that nothing of it is lost.
pub(super) fn fitted(line: &str, width: usize) -> Vec<String> {
    if line.width() <= width {
        return vec![line.to_owned()];
    }
    let lines = indented(line, 0, width);
    lines.iter().map(|line| cut(line, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_cut_by_their_width() {
        assert_eq!(cut("漢字漢字", 8), "漢字漢字");
        assert_eq!(cut("漢字漢字", 7), "漢字漢…");
        assert_eq!(cut("漢字漢字", 6), "漢字…");
    }

    #[test]
    fn what_does_not_fit_on_a_line_goes_on_the_next() {
        assert_eq!(fitted("lost 0   probes 17", 18), ["lost 0   probes 17"]);
        assert_eq!(fitted("lost 0   probes 17", 17), ["lost 0 probes 17"]);
        assert_eq!(
            fitted("nothing traced: no tracer", 16),
            ["nothing traced:", "no tracer"]
        );
        assert_eq!(fitted("unaccounted 0", 6), ["unacc…", "0"]);
    }
}
