//! The help screen, generated: keys from the keymap, words from the catalogue, losses from the counters.

use pintrace_common::counters::Loss;
use ratatui::text::{Line, Span};

use pintrace_model::field::{finding_column, header, process, window};
use pintrace_model::snapshot::Snapshot;

use super::cell;
use super::keymap::{Action, BINDINGS, Binding, Key, Scope};
use super::theme::Theme;

/// Columns of the first word of an entry.
const TERM: usize = 15;

/// All of the help, `width` columns wide.
pub(super) fn lines(snapshot: &Snapshot, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let lost = snapshot.loss.iter().filter(|(_, count)| *count > 0);
    let lost: Vec<(String, &str)> = lost
        .map(|(name, count)| (format!("! {name} {count}"), meaning(name)))
        .collect();
    section(&mut lines, "What was lost", lost, width, theme);
    let orders = |binding: &Binding| matches!(binding.action, Action::Sort(_) | Action::Reverse);
    let of_findings =
        |binding: &Binding| matches!(binding.scope, Scope::Findings | Scope::Finding | Scope::Windows);
    for (title, ordering, finding) in [
        ("Keys", false, false),
        ("Order of the table", true, false),
        ("Keys of the findings", false, true),
        ("Order of the findings", true, true),
    ] {
        let bindings = BINDINGS
            .iter()
            .filter(|binding| orders(binding) == ordering && of_findings(binding) == finding);
        section(&mut lines, title, bindings.map(entry), width, theme);
    }
    let figures = header::FIGURES
        .iter()
        .take(4)
        .map(|figure| (figure.title.to_owned(), figure.help));
    section(&mut lines, "First lines", figures, width, theme);
    let columns = process::COLUMNS
        .iter()
        .map(|column| (column.title.to_owned(), column.help));
    section(&mut lines, "Columns", columns, width, theme);
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
        ("!", "Not 0, and it should be."),
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
    known.map_or("A reason that this version does not know.", |loss| loss.help())
}

fn entry(binding: &Binding) -> (String, &'static str) {
    let keys: Vec<String> = binding.keys.iter().copied().map(Key::label).collect();
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
        let indent = 2 + TERM;
        let wrapped = cell::wrapped(help, width.saturating_sub(indent));
        let own_line = cell::width(&term) > TERM - 1;
        if own_line {
            lines.push(Line::styled(
                format!("  {}", cell::cut(&term, width.saturating_sub(2))),
                theme.accent(),
            ));
        }
        for (index, text) in wrapped.into_iter().enumerate() {
            let term = if index == 0 && !own_line {
                term.as_str()
            } else {
                ""
            };
            lines.push(Line::from(vec![
                Span::styled(format!("  {}", cell::left(term, TERM)), theme.accent()),
                Span::styled(text, theme.plain()),
            ]));
        }
    }
}
