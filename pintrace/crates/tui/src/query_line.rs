//! The line on which the filter is edited: typing, and completion by Tab.

use crossterm::event::{KeyCode, KeyEvent};

use pintrace_model::snapshot::Snapshot;
use pintrace_query::Completions;

use super::filter::Filter;
use super::queries::{RowKind, completions};
use super::typed_line::TypedLine;

/// The edit of a filter.
#[derive(Debug)]
pub(super) struct QueryLine {
    /// The text of the filter before the edit.
    before: String,
    line: TypedLine,
    /// The candidates between which Tab moves.
    cycle: Option<Cycle>,
}

/// Candidates for the end of a text.
#[derive(Debug)]
struct Cycle {
    /// The text as it was typed.
    typed: String,
    found: Completions,
    index: usize,
}

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edited {
    /// The edit goes on.
    Open,
    /// The edit has ended.
    Done,
    /// The key is not for the filter.
    NotForFilter,
}

impl QueryLine {
    /// Begins to edit a filter.
    pub(super) fn begin(filter: &Filter) -> Self {
        Self {
            before: filter.text().to_owned(),
            line: TypedLine::new(filter.text().to_owned()),
            cycle: None,
        }
    }

    /// Returns the text before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        self.line.before_cursor()
    }

    /// Acts on a key. Enter keeps only a text that is a query.
    pub(super) fn press(
        &mut self,
        key: &KeyEvent,
        filter: &mut Filter,
        (kind, snapshot): (RowKind, &Snapshot),
    ) -> Edited {
        match key.code {
            KeyCode::Tab | KeyCode::BackTab => {
                self.complete(key.code == KeyCode::Tab, filter, (kind, snapshot));
                return Edited::Open;
            }
            KeyCode::Enter if filter.error(kind).is_some() => return Edited::Open,
            KeyCode::Enter => {
                filter.set(self.line.text().to_owned());
                return Edited::Done;
            }
            KeyCode::Esc => {
                filter.set(std::mem::take(&mut self.before));
                return Edited::Done;
            }
            KeyCode::Backspace if self.line.text().is_empty() => return Edited::Done,
            _ => {}
        }
        if !self.line.press(key) {
            return Edited::NotForFilter;
        }
        if self.line.text() != filter.text() {
            self.cycle = None;
            filter.set_typed(self.line.text().to_owned(), (kind, snapshot));
        }
        Edited::Open
    }

    /// Puts the next candidate in place, or the one before.
    fn complete(&mut self, forward: bool, filter: &mut Filter, (kind, snapshot): (RowKind, &Snapshot)) {
        if let Some(cycle) = &mut self.cycle {
            let count = cycle.found.candidates.len();
            let step = if forward { 1 } else { count - 1 };
            cycle.index = (cycle.index + step) % count;
            self.line = TypedLine::new(cycle.text());
            filter.set_typed(cycle.text(), (kind, snapshot));
            return;
        }
        let typed = filter.text().to_owned();
        let found = completions(&typed, kind, snapshot);
        let count = found.candidates.len();
        if count == 0 {
            return;
        }
        let index = if forward { 0 } else { count - 1 };
        let cycle = Cycle { typed, found, index };
        self.line = TypedLine::new(cycle.text());
        filter.set_typed(cycle.text(), (kind, snapshot));
        // After the only candidate, Tab completes what follows.
        self.cycle = (count > 1).then_some(cycle);
    }
}

impl Cycle {
    /// Returns the text with the candidate, and a space so that the next word can be typed.
    fn text(&self) -> String {
        let kept = self.typed.get(..self.found.replaces.start).unwrap_or_default();
        let candidate = self.found.candidates.get(self.index);
        format!("{kept}{} ", candidate.map_or("", String::as_str))
    }
}
