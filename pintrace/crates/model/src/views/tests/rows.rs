//! The rows of each view, with known numbers.

mod folded_findings;
mod holders;
mod processes;

use std::collections::BTreeSet;
use std::sync::Arc;

use pintrace_events::FileId;
use pintrace_events::units::{Nanos, Pid};

use crate::field::{Align, Field, call_site, cgroup, difference, folded_finding, holder, pin};
use crate::snapshot::{HeldAccount, OpenExtent, Process, Snapshot};
use crate::subsystem::Subsystem;

/// A process in a cgroup with extents.
fn process(pid: u32, cgroup: &str, extents: Vec<OpenExtent>) -> Process {
    let pages_held = extents.iter().map(|extent| extent.pages_held).sum();
    Process {
        pid: Pid(pid),
        comm: format!("p{pid}"),
        cgroup: cgroup.to_owned(),
        pages_held,
        bytes_held: pages_held * 4096,
        longterm_pages_held: pages_held,
        oldest_since: extents.iter().map(|extent| extent.since).min(),
        extents: extents.len() as u64,
        open_extents: extents.into(),
        ..Process::default()
    }
}

/// An extent of a file, pinned at a time through a subsystem.
fn extent(pages_held: u64, file: u64, since: u64, subsystem: Subsystem) -> OpenExtent {
    OpenExtent {
        pages_held,
        bytes_held: pages_held * 4096,
        file: FileId(file),
        since: Nanos(since),
        subsystem,
        ..OpenExtent::default()
    }
}

fn account(pages_held: u64, longterm: bool, subsystem: Subsystem) -> HeldAccount {
    HeldAccount {
        pages_held,
        longterm,
        subsystem,
        since: Some(Nanos(1)),
        ..HeldAccount::default()
    }
}

fn snapshot(processes: Vec<Process>) -> Snapshot {
    Snapshot {
        time: Nanos(1000),
        processes: processes.into_iter().map(Arc::new).collect(),
        ..Snapshot::default()
    }
}

/// Ids are unique, the default sort is a column, and a help is one sentence.
fn check<T>(columns: &[Field<T>], default_sort: &str) {
    let ids: BTreeSet<_> = columns.iter().map(|column| column.id).collect();
    assert_eq!(ids.len(), columns.len());
    assert!(ids.contains(default_sort), "{default_sort}");
    for column in columns {
        assert!(column.help.ends_with('.'), "{}", column.id);
        assert!(column.metric.is_none(), "{}", column.id);
    }
    assert!(
        columns
            .iter()
            .any(|column| column.drop_rank == 0 && column.align == Align::Left)
    );
}

#[test]
fn the_columns_of_each_view_are_complete() {
    check(cgroup::COLUMNS, cgroup::DEFAULT_SORT);
    check(pin::COLUMNS, pin::DEFAULT_SORT);
    check(holder::COLUMNS, holder::DEFAULT_SORT);
    check(call_site::COLUMNS, call_site::DEFAULT_SORT);
    check(folded_finding::COLUMNS, folded_finding::DEFAULT_SORT);
    check(difference::COLUMNS, difference::DEFAULT_SORT);
}
