//! A query: text that was checked against the fields of one kind of row.

use std::sync::Arc;

use pintrace_events::units::Nanos;

use super::check::check;
use super::error::QueryError;
use super::parse::parse;
use super::row_fields::{RowFields, WordsOf};
use super::test::Test;

/// A condition on rows of one kind. A clone shares the parsed query.
#[derive(Debug)]
pub struct Query<T: 'static> {
    text: Arc<str>,
    test: Arc<Test<T>>,
    words: WordsOf<T>,
}

impl<T> Clone for Query<T> {
    fn clone(&self) -> Self {
        Self {
            text: Arc::clone(&self.text),
            test: Arc::clone(&self.test),
            words: self.words,
        }
    }
}

/// Queries over rows of one kind are equal if their texts are.
impl<T> PartialEq for Query<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Query<T> {}

impl<T> Query<T> {
    /// Parses a query. An empty text matches every row.
    pub fn parse(text: &str, rows: &RowFields<T>) -> Result<Self, QueryError> {
        let checked = parse(text).and_then(|expression| check(expression, rows));
        Ok(Self {
            test: Arc::new(checked.map_err(|fault| fault.within(text))?),
            text: text.trim().into(),
            words: rows.words,
        })
    }

    /// Returns true if a row matches at `now`, the time of the snapshot: moments count as ages. A comparison with an
    /// unknown value is false, whatever the operator is; `not` turns it into true.
    #[must_use]
    pub fn matches(&self, row: &T, now: Nanos) -> bool {
        self.test.matches(row, self.words, now)
    }

    /// Returns the text of the query, without spaces around it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns true if the query compares the field with this id.
    #[must_use]
    pub fn uses(&self, id: &str) -> bool {
        self.test.uses(id)
    }

    /// Returns true if the query has no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}
