//! Lines that several details have: the figures of a row, a heading, a table, a paragraph, and the pages over time.

use ratatui::text::{Line, Span};

use pintrace_events::units::Nanos;
use pintrace_model::field::grid::{self, Digits};
use pintrace_model::field::{Field, Unit, Value};
use pintrace_model::history::HistorySample;
use pintrace_model::text;
use pintrace_text::{cut, wrap};

use super::super::flow::{self, pair};
use super::super::labelled::labelled;
use super::super::table::text as value_text;
use super::super::theme::Theme;
use super::graph;

/// Columns of the labels.
pub(super) const LABEL: usize = 9;

/// Returns all figures of an object with every digit, including those whose column does not fit into the table.
pub(super) fn figures<T>(
    columns: &[&'static Field<T>],
    object: &T,
    now: Nanos,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let numbers = columns
        .iter()
        .filter(|column| column.unit != Unit::Name && !["pid", "tid"].contains(&column.id));
    let pairs: Vec<_> = numbers
        .map(|column| {
            let value = match (column.value)(object).at(now) {
                Value::Count(count) => count.to_string(),
                value => value_text(&value),
            };
            pair(&column.title.to_lowercase(), value, theme)
        })
        .collect();
    flow::lines(&pairs, width)
}

/// Returns a heading after an empty line.
pub(super) fn heading(words: &str, theme: Theme) -> [Line<'static>; 2] {
    [Line::default(), Line::styled(words.to_owned(), theme.strong())]
}

/// Returns a small table with dim titles, as wide as its cells need.
pub(super) fn table<T>(
    columns: &[&'static Field<T>],
    rows: &[&T],
    now: Nanos,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let lines = grid::lines(columns, rows, now, width, Digits::Few).into_iter();
    let styles = std::iter::once(theme.dim()).chain(std::iter::repeat(theme.plain()));
    lines
        .zip(styles)
        .map(|(line, style)| Line::styled(cut(&line, width).into_owned(), style))
        .collect()
}

/// Returns words after a label.
pub(super) fn paragraph(label: &str, words: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    labelled((label, LABEL, theme.dim()), words, width, theme)
}

/// Returns plain words.
pub(super) fn sentence(words: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let lines = wrap(words, width).into_iter();
    lines.map(|line| Line::styled(line, theme.plain())).collect()
}

/// Returns the bytes held over time as one line; nothing before there are two samples.
pub(super) fn over_time(
    samples: impl DoubleEndedIterator<Item = HistorySample>,
    width: usize,
    theme: Theme,
) -> Option<Line<'static>> {
    /// Columns of the figures around the line.
    const AROUND: usize = 34;
    let most = 2 * width.saturating_sub(LABEL + AROUND).min(60);
    let mut latest: Vec<HistorySample> = samples.rev().take(most).collect();
    latest.reverse();
    let (first, last) = (latest.first()?, latest.last()?);
    if latest.len() < 2 {
        return None;
    }
    let values: Vec<u64> = latest.iter().map(|sample| sample.bytes_held).collect();
    let lowest = values.iter().min().copied().unwrap_or(0);
    let highest = values.iter().max().copied().unwrap_or(0);
    let words = format!(
        " {} to {} in {}",
        text::bytes(lowest),
        text::bytes(highest),
        text::span(last.time.since(first.time))
    );
    Some(Line::from(vec![
        Span::styled(pintrace_text::pad_right("held", LABEL), theme.dim()),
        Span::styled(graph::line(&values, theme.graph), theme.accent()),
        Span::styled(words, theme.plain()),
    ]))
}
