//! The option `--where`: a query that chooses processes.

use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_query::Query;
use pintrace_query::rows::PROCESSES;

use super::view_rows::Mistake;

/// Parses the value of `--where`, if there is one.
pub(super) fn process_query(text: Option<&str>) -> Result<Option<Query<Process>>, Mistake> {
    let parse = |text| Query::parse(text, &PROCESSES).map_err(|error| Mistake::query(text, &error));
    text.map(parse).transpose()
}

/// Keeps the processes that match, with what belongs to them. Without a query, keeps all.
pub(super) fn select(snapshot: &mut Snapshot, query: Option<&Query<Process>>) {
    if let Some(query) = query {
        let now = snapshot.time;
        snapshot.select(query.text(), |process| query.matches(process, now));
    }
}
