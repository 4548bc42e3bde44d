//! The help screen, made from the keymap, the field catalogue and the loss counters.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use pintrace_model::field::{
    Field, call_site, cgroup, difference, folded_finding, header, holder, pin, pin_call, process, window,
};
use pintrace_model::loss;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::suppressed;
use pintrace_model::text;
use pintrace_text::cut;

use super::app::COMMANDS;
use super::keymap::{Binding, GROUPS, KeyScope, Remapped};
use super::labelled::labelled;
use super::scroll::ScrollPosition;
use super::theme::Theme;
use super::typed_line::TypedLine;
use super::view::View;

/// Columns of the term of an entry, with its margin.
const TERM: usize = 17;

/// The help, while it is open.
#[derive(Clone, Debug, Default)]
pub(super) struct HelpScreen {
    pub(super) position: ScrollPosition,
    /// The text to find, and whether it is still typed.
    search: Option<(TypedLine, bool)>,
}

impl HelpScreen {
    /// Begins to type a text to find.
    pub(super) fn begin_search(&mut self) {
        self.search = Some((TypedLine::default(), true));
        self.position = ScrollPosition::default();
    }

    /// Returns the text that is typed.
    pub(super) fn search(&self) -> Option<&TypedLine> {
        let (line, typed) = self.search.as_ref()?;
        typed.then_some(line)
    }

    /// Edits the text to find. Returns false if the key is not for the text.
    pub(super) fn edit(&mut self, key: &KeyEvent) -> bool {
        let Some((line, typed)) = &mut self.search else {
            return false;
        };
        match key.code {
            // Escape shows the whole help again.
            KeyCode::Esc => self.search = None,
            _ if !*typed => return false,
            KeyCode::Enter => *typed = false,
            KeyCode::Backspace if line.text().is_empty() => self.search = None,
            _ => return line.press(key),
        }
        true
    }

    /// Draws the help, and returns how many lines fit.
    pub(super) fn draw(
        &mut self,
        view: View,
        snapshot: &Snapshot,
        keys: &Remapped,
        area: Rect,
        buffer: &mut Buffer,
        theme: Theme,
    ) -> usize {
        let wanted = self.search.as_ref().map(|(line, _)| line.text().to_lowercase());
        let lines = |width| {
            let lines = lines(view, snapshot, keys, width, theme);
            match &wanted {
                Some(wanted) if !wanted.is_empty() => lines
                    .into_iter()
                    .filter(|line| line.to_string().to_lowercase().contains(wanted))
                    .collect(),
                _ => lines,
            }
        };
        self.position.draw(lines, area, buffer, theme)
    }
}

/// Returns the lines of the help, `width` columns wide: what belongs to the view first.
fn lines(view: View, snapshot: &Snapshot, keys: &Remapped, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let lost = snapshot.loss.iter().filter(|(_, count)| *count > 0);
    let lost: Vec<(String, &str)> = lost
        .map(|(name, count)| (format!("! {name} {count}"), loss::help(name)))
        .collect();
    let whose = suppressed::processes(&snapshot.suppressed);
    let whose = whose
        .as_deref()
        .map(|processes| ("changes of".to_owned(), processes));
    let lost = lost.into_iter().chain(whose);
    section(&mut lines, "Losses of this session", lost, width, theme);
    let of_view = |scope: KeyScope| scope == KeyScope::Of(view);
    let is_here = |scope: KeyScope| of_view(scope) || !matches!(scope, KeyScope::Of(_));
    let groups = GROUPS.iter().filter(|group| is_here(group.scope));
    for group in groups {
        let entries = group.bindings.iter().map(|binding| entry(binding, keys));
        section(&mut lines, group.title, entries, width, theme);
    }
    let columns = columns_of(view).into_iter();
    section(
        &mut lines,
        &format!("Columns of {}", view.title().to_lowercase()),
        columns,
        width,
        theme,
    );
    let commands = COMMANDS.iter();
    let commands = commands.map(|command| (format!(":{} {}", command.name, command.argument), command.help));
    section(&mut lines, "Commands with an argument", commands, width, theme);
    let own = keys.with_argument();
    let own: Vec<(String, String)> = own
        .map(|(key, command)| (key.label(), text::printable(command)))
        .collect();
    let own = own.iter().map(|(key, command)| (key.clone(), command.as_str()));
    section(&mut lines, "Keys of the configuration", own, width, theme);
    let figures = header::FIGURES
        .iter()
        .take(4)
        .map(|figure| (figure.title.to_owned(), figure.help));
    section(&mut lines, "Header", figures, width, theme);
    let marks = [
        ("†", "The process has ended."),
        (
            "!",
            "A figure that should be 0, or something that can lose data. F shows the findings of a process.",
        ),
        (">", "The cursor."),
    ];
    let marks = marks.map(|(mark, help)| (mark.to_owned(), help));
    section(&mut lines, "Marks", marks, width, theme);
    lines
}

/// Returns title and help of each column of a view.
fn columns_of(view: View) -> Vec<(String, &'static str)> {
    fn entries<T>(columns: &'static [Field<T>]) -> Vec<(String, &'static str)> {
        let entry = |column: &'static Field<T>| (column.title.to_owned(), column.help);
        columns.iter().map(entry).collect()
    }
    match view {
        View::Processes => entries(process::COLUMNS),
        View::Cgroups => entries(cgroup::COLUMNS),
        View::Holders => entries(holder::COLUMNS),
        View::Pins => entries(pin::COLUMNS),
        View::CallSites => entries(call_site::COLUMNS),
        View::Findings => entries(folded_finding::COLUMNS),
        View::FlushWindows => entries(window::COLUMNS),
        View::PinCalls => entries(pin_call::COLUMNS),
        View::Changes => entries(difference::COLUMNS),
        View::System => Vec::new(),
    }
}

fn entry(binding: &Binding, keys: &Remapped) -> (String, &'static str) {
    let keys: Vec<String> = keys.keys_of(binding).iter().map(|key| key.label()).collect();
    (keys.join(" "), binding.help)
}

fn section<'a>(
    lines: &mut Vec<Line<'static>>,
    title: &str,
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
    lines.push(Line::styled(title.to_owned(), theme.strong()));
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
