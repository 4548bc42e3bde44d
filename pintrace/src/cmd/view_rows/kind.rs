//! What rows of one kind have in common.

use std::borrow::Cow;
use std::cmp::Ordering;

use pintrace_events::units::Pid;
use pintrace_model::field::Field;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::views::ViewName;
use pintrace_query::{Query, RowFields};

/// The rows `T` of a view, which queries over `Q` choose.
pub(super) struct RowKind<T: Clone + 'static, Q: 'static = T> {
    pub(super) view: ViewName,
    /// The columns of the text table.
    pub(super) table: &'static [Field<T>],
    /// The columns of CSV and JSON. Of two with one id, the first counts.
    pub(super) columns: &'static [&'static [Field<T>]],
    /// The default sort column; `None` keeps the order of the model.
    pub(super) sort: Option<&'static str>,
    /// The fields of queries.
    pub(super) asked: RowFields<Q>,
    pub(super) rows: RowsOf<T>,
    pub(super) rank: fn(&Field<T>, &T, &T) -> Ordering,
    pub(super) matches: fn(&Query<Q>, &T, &Snapshot) -> bool,
    /// The processes of the row; `None` for rows that are not of single processes.
    pub(super) pids: fn(&T) -> Option<Vec<Pid>>,
    /// True for a process that has ended and holds nothing.
    pub(super) is_over: fn(&T) -> bool,
}

/// Returns all rows of a snapshot.
pub(super) type RowsOf<T> = for<'a> fn(&'a Snapshot) -> Vec<Cow<'a, T>>;

impl<T: Clone, Q> RowKind<T, Q> {
    /// Returns the columns of CSV and JSON: those of the text table first, in the same order.
    pub(super) fn fields(&self) -> Vec<&'static Field<T>> {
        let columns = || self.columns.iter().copied().flatten();
        let ids = self.table.iter().chain(columns()).map(|field| field.id);
        let mut fields: Vec<&'static Field<T>> = Vec::new();
        for id in ids {
            let is_new = !fields.iter().any(|field| field.id == id);
            fields.extend(columns().find(|field| is_new && field.id == id));
        }
        fields
    }
}

/// Tests a row with a query over rows of its own kind.
pub(super) fn itself<T>(query: &Query<T>, row: &T, snapshot: &Snapshot) -> bool {
    query.matches(row, snapshot.time)
}

/// Compares two rows by a column alone.
pub(super) fn by_value<T>(column: &Field<T>, one: &T, two: &T) -> Ordering {
    (column.value)(one).rank(&(column.value)(two))
}

/// Returns rows that a view has built.
pub(super) fn owned<'a, T: Clone>(rows: Vec<T>) -> Vec<Cow<'a, T>> {
    rows.into_iter().map(Cow::Owned).collect()
}

/// Returns rows of the snapshot.
pub(super) fn borrowed<'a, T: Clone>(rows: impl IntoIterator<Item = &'a T>) -> Vec<Cow<'a, T>> {
    rows.into_iter().map(Cow::Borrowed).collect()
}
