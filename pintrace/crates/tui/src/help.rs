//! The help screen, made from the keymap, the field catalogue and the loss counters.

use pintrace_common::counters::Loss;
use ratatui::text::Line;

use pintrace_model::field::{finding_column, header, process, window};
use pintrace_model::snapshot::Snapshot;
use pintrace_model::suppressed;
use pintrace_text::cut;

use super::keymap::{Binding, BoundKey, GROUPS};
use super::labelled::labelled;
use super::theme::Theme;

/// Columns of the term of an entry, with its margin.
const TERM: usize = 17;

/// Returns the lines of the help, `width` columns wide.
pub(super) fn lines(snapshot: &Snapshot, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let lost = snapshot.loss.iter().filter(|(_, count)| *count > 0);
    let lost: Vec<(String, &str)> = lost
        .map(|(name, count)| (format!("! {name} {count}"), meaning(name)))
        .collect();
    let whose = suppressed::processes(&snapshot.suppressed);
    let whose = whose
        .as_deref()
        .map(|processes| ("changes of".to_owned(), processes));
    section(
        &mut lines,
        "Losses of this trace",
        lost.into_iter().chain(whose),
        width,
        theme,
    );
    for group in GROUPS {
        section(
            &mut lines,
            group.title,
            group.bindings.iter().map(entry),
            width,
            theme,
        );
    }
    let figures = header::FIGURES
        .iter()
        .take(4)
        .map(|figure| (figure.title.to_owned(), figure.help));
    section(&mut lines, "Header", figures, width, theme);
    let columns = process::COLUMNS
        .iter()
        .map(|column| (column.title.to_owned(), column.help));
    section(&mut lines, "Columns of the processes", columns, width, theme);
    let of_findings = finding_column::COLUMNS
        .iter()
        .map(|column| (column.title.to_owned(), column.help));
    section(&mut lines, "Columns of the findings", of_findings, width, theme);
    let of_windows = window::COLUMNS
        .iter()
        .map(|column| (column.title.to_owned(), column.help));
    section(
        &mut lines,
        "Columns of the flush windows",
        of_windows,
        width,
        theme,
    );
    let marks = [
        ("†", "The process has ended."),
        ("!", "A figure that should be 0, or a finding that can lose data."),
        (">", "The cursor."),
    ];
    section(
        &mut lines,
        "Marks",
        marks.map(|(mark, help)| (mark.to_owned(), help)),
        width,
        theme,
    );
    lines
}

fn meaning(name: &str) -> &'static str {
    let known = Loss::ALL.iter().find(|loss| loss.name() == name);
    known.map_or("A loss that this version does not know.", |loss| loss.help())
}

fn entry(binding: &Binding) -> (String, &'static str) {
    let keys: Vec<String> = binding.keys().map(BoundKey::label).collect();
    (keys.join(" "), binding.help)
}

fn section<'a>(
    lines: &mut Vec<Line<'static>>,
    title: &'static str,
    entries: impl IntoIterator<Item = (String, &'a str)>,
    width: usize,
    theme: Theme,
) {
    let mut entries = entries.into_iter().peekable();
    if entries.peek().is_none() {
        return;
    }
    if !lines.is_empty() {
        lines.push(Line::default());
    }
    lines.push(Line::styled(title, theme.strong()));
    for (term, help) in entries {
        let label = format!("  {term}");
        // A term that is too long for its column gets a separate line.
        let label = if pintrace_text::width(&label) < TERM {
            label
        } else {
            lines.push(Line::styled(cut(&label, width).into_owned(), theme.accent()));
            String::new()
        };
        lines.extend(labelled((&label, TERM, theme.accent()), help, width, theme));
    }
}
