//! The option `--where`: a query that chooses processes.

use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_query::rows::PROCESSES;
use pintrace_query::{Query, QueryError};

/// Parses the value of `--where`.
pub(super) fn process_query(text: &str) -> Result<Query<Process>, QueryError> {
    Query::parse(text, &PROCESSES)
}

/// Keeps the processes that match, with what belongs to them. Without a query, keeps all.
pub(super) fn select(snapshot: &mut Snapshot, query: Option<&Query<Process>>) {
    if let Some(query) = query {
        let now = snapshot.time;
        snapshot.select(query.text(), |process| query.matches(process, now));
    }
}
