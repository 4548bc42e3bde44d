//! What is wrong with a query, where, and what is possible there.

use std::fmt::{self, Display, Formatter};

use pintrace_model::text::printable;
use pintrace_text::width;

/// A mistake in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The query.
    text: String,
    /// The character of the mistake, from 0.
    index: usize,
    wrong: String,
    possible: Vec<String>,
    unknown_field: Option<String>,
}

/// A mistake at a byte of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) wrong: String,
    pub(crate) possible: Vec<String>,
    pub(crate) unknown_field: Option<String>,
}

/// The most possibilities that a message lists.
const LISTED: usize = 8;
/// The page that has all possibilities.
const PAGE: &str = "docs/queries.md";
/// Characters of the query that are shown before and after the mistake.
const BEFORE: usize = 50;
const AFTER: usize = 30;

impl Fault {
    pub(crate) fn new<P: ToString>(
        at: usize,
        wrong: impl Into<String>,
        possible: impl IntoIterator<Item = P>,
    ) -> Self {
        Self {
            at,
            wrong: wrong.into(),
            possible: possible.into_iter().map(|one| one.to_string()).collect(),
            unknown_field: None,
        }
    }

    /// Returns the error for a query with this mistake.
    pub(crate) fn within(self, text: &str) -> QueryError {
        let before = text.char_indices().take_while(|(start, _)| *start < self.at);
        QueryError {
            index: before.count(),
            text: text.to_owned(),
            wrong: self.wrong,
            possible: self.possible,
            unknown_field: self.unknown_field,
        }
    }
}

impl QueryError {
    /// Returns the character of the mistake, from 1; one more than there are characters if something is missing at the
    /// end.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.index + 1
    }

    /// Returns what is wrong, without a period.
    #[must_use]
    pub fn wrong(&self) -> &str {
        &self.wrong
    }

    /// Returns what is possible at the column; for an unknown field, the fields with similar names first.
    #[must_use]
    pub fn possible(&self) -> &[String] {
        &self.possible
    }

    /// Returns the name that the query uses as a field and that the rows do not have, if this is the mistake.
    #[must_use]
    pub fn unknown_field(&self) -> Option<&str> {
        self.unknown_field.as_deref()
    }

    /// Returns the mistake, its column and the possibilities in one line.
    #[must_use]
    pub fn one_line(&self) -> String {
        format!("column {}: {}", self.column(), self.summary())
    }

    /// Returns the mistake and the possibilities in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let wrong = printable(&self.wrong);
        match self.listed() {
            Some(possible) => format!("{wrong}; possible: {possible}"),
            None => wrong,
        }
    }

    fn listed(&self) -> Option<String> {
        let shown: Vec<_> = self
            .possible
            .iter()
            .take(LISTED)
            .map(|one| printable(one))
            .collect();
        let more = self.possible.len().saturating_sub(LISTED);
        match (shown.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(shown.join(", ")),
            (false, _) => Some(format!("{} and {more} more ({PAGE})", shown.join(", "))),
        }
    }

    /// Returns the part of the query around the mistake, and the terminal columns before the mistake.
    fn excerpt(&self) -> (String, usize) {
        let first = self.index.saturating_sub(BEFORE);
        let mark = |cut: bool| if cut { "…" } else { "" };
        let part = |from: usize, count: usize| {
            let characters: String = self.text.chars().skip(from).take(count).collect();
            printable(&characters)
        };
        let before = format!("{}{}", mark(first > 0), part(first, self.index - first));
        let cut = self.text.chars().nth(self.index + AFTER).is_some();
        let after = format!("{}{}", part(self.index, AFTER), mark(cut));
        let column = width(&before);
        (before + &after, column)
    }
}

/// The mistake; below it the query with a caret under the column; below them the possibilities.
impl Display for QueryError {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (excerpt, column) = self.excerpt();
        writeln!(out, "column {}: {}", self.column(), printable(&self.wrong))?;
        writeln!(out, "  {excerpt}")?;
        write!(out, "  {}^", " ".repeat(column))?;
        match self.listed() {
            Some(possible) => write!(out, "\npossible: {possible}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_column_also_after_wide_characters() {
        let error = Fault::new("日本 ".len(), "no such thing", ["a", "b"]).within("日本 x");
        let lines: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "column 4: no such thing",
                "  日本 x",
                "       ^",
                "possible: a, b"
            ]
        );
        assert_eq!(error.one_line(), "column 4: no such thing; possible: a, b");
    }

    #[test]
    fn a_long_query_is_cut_around_the_mistake() {
        let text = "x".repeat(1000);
        let error = Fault::new(500, "wrong", [""; 0]).within(&text);
        let message = error.to_string();
        assert!(message.lines().all(|line| width(line) < 90), "{message}");
        assert_eq!(message.lines().nth(2).map(str::len), Some(2 + 51 + 1));
    }

    #[test]
    fn a_long_list_names_the_page_that_has_the_rest() {
        let summary = |count: usize| Fault::new(0, "wrong", vec!["f"; count]).within("x").summary();
        assert!(summary(LISTED).ends_with("f, f"));
        assert!(summary(LISTED + 2).ends_with(", f and 2 more (docs/queries.md)"));
    }

    #[test]
    fn control_characters_of_a_query_are_escaped() {
        let error = Fault::new(4, "bad \x1b", [""; 0]).within("a\x1b\nb");
        assert!(!error.to_string().contains('\x1b'));
        assert_eq!(error.to_string().lines().count(), 3);
    }
}
