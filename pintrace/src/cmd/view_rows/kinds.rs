//! The rows of each view.

use pintrace_model::field::{
    call_site, cgroup, folded_finding, holder, more, pin, pin_call, process, system as figure, window,
};
use pintrace_model::finding::{Finding, WindowTotals};
use pintrace_model::pin_calls::PinCallRow;
use pintrace_model::snapshot::Process;
use pintrace_model::views::ViewName;
use pintrace_model::views::call_sites::{self, CallSiteRow};
use pintrace_model::views::cgroups::{self, CgroupRow};
use pintrace_model::views::ended::is_over;
use pintrace_model::views::folded_findings::{self, FoldedFinding};
use pintrace_model::views::holders::{self, HolderRow};
use pintrace_model::views::pin_list::{self, PinRow};
use pintrace_model::views::system::{self, SystemRow};
use pintrace_query::rows;

use super::kind::{RowKind, borrowed, by_value, itself, owned};

pub(super) const PROCESSES: RowKind<Process> = RowKind {
    view: ViewName::Processes,
    table: process::COLUMNS,
    columns: rows::PROCESSES.columns,
    sort: Some(process::DEFAULT_SORT),
    asked: rows::PROCESSES,
    rows: |snapshot| borrowed(snapshot.processes.iter().map(AsRef::as_ref)),
    rank: process::rank,
    matches: itself,
    pids: |process| Some(vec![process.pid]),
    is_over,
};

/// In the order of the tree, unless a column is given.
pub(super) const CGROUPS: RowKind<CgroupRow> = RowKind {
    view: ViewName::Cgroups,
    table: cgroup::COLUMNS,
    columns: rows::CGROUPS.columns,
    sort: None,
    asked: rows::CGROUPS,
    rows: |snapshot| owned(cgroups::of(snapshot)),
    rank: cgroup::rank,
    matches: itself,
    pids: |_| None,
    is_over: |_| false,
};

pub(super) const HOLDERS: RowKind<HolderRow> = RowKind {
    view: ViewName::Holders,
    table: holder::COLUMNS,
    columns: rows::HOLDERS.columns,
    sort: Some(holder::DEFAULT_SORT),
    asked: rows::HOLDERS,
    rows: |snapshot| owned(holders::of(snapshot)),
    rank: holder::rank,
    matches: itself,
    pids: |row| Some(row.processes.iter().map(|one| one.process.pid).collect()),
    is_over: |_| false,
};

pub(super) const PINS: RowKind<PinRow> = RowKind {
    view: ViewName::Pins,
    table: pin::COLUMNS,
    columns: rows::PINS.columns,
    sort: Some(pin::DEFAULT_SORT),
    asked: rows::PINS,
    rows: |snapshot| owned(pin_list::of(snapshot)),
    rank: pin::rank,
    matches: itself,
    pids: |row| Some(vec![row.pid()]),
    is_over: |_| false,
};

pub(super) const CALL_SITES: RowKind<CallSiteRow> = RowKind {
    view: ViewName::CallSites,
    table: call_site::COLUMNS,
    columns: rows::CALL_SITES.columns,
    sort: Some(call_site::DEFAULT_SORT),
    asked: rows::CALL_SITES,
    rows: |snapshot| owned(call_sites::of(snapshot)),
    rank: call_site::rank,
    matches: itself,
    pids: |_| None,
    is_over: |_| false,
};

/// A folded row is shown if one of its findings matches.
pub(super) const FINDINGS: RowKind<FoldedFinding, Finding> = RowKind {
    view: ViewName::Findings,
    table: folded_finding::COLUMNS,
    columns: &[folded_finding::COLUMNS, more::FOLDED_FINDING],
    sort: Some(folded_finding::DEFAULT_SORT),
    asked: rows::FINDINGS,
    rows: |snapshot| owned(folded_findings::of(snapshot)),
    rank: folded_finding::rank,
    matches: |query, row, snapshot| {
        let findings = row.findings.iter();
        let mut findings = findings.filter_map(|position| snapshot.findings.get(*position));
        findings.any(|found| query.matches(found, snapshot.time))
    },
    pids: |row| Some(row.pids.clone()),
    is_over: |_| false,
};

pub(super) const FLUSH_WINDOWS: RowKind<WindowTotals> = RowKind {
    view: ViewName::FlushWindows,
    table: window::COLUMNS,
    columns: rows::WINDOWS.columns,
    sort: Some(window::DEFAULT_SORT),
    asked: rows::WINDOWS,
    rows: |snapshot| borrowed(&snapshot.windows),
    rank: by_value,
    matches: itself,
    pids: |row| Some(vec![row.pid]),
    is_over: |_| false,
};

pub(super) const PIN_CALLS: RowKind<PinCallRow> = RowKind {
    view: ViewName::PinCalls,
    table: pin_call::COLUMNS,
    columns: rows::PIN_CALLS.columns,
    sort: Some(pin_call::DEFAULT_SORT),
    asked: rows::PIN_CALLS,
    rows: |snapshot| borrowed(snapshot.pin_calls.iter()),
    rank: by_value,
    matches: itself,
    pids: |row| Some(vec![row.pid]),
    is_over: |_| false,
};

/// In the order of the groups, unless a column is given.
pub(super) const SYSTEM: RowKind<SystemRow> = RowKind {
    view: ViewName::System,
    table: figure::COLUMNS,
    columns: rows::SYSTEM.columns,
    sort: None,
    asked: rows::SYSTEM,
    rows: |snapshot| owned(system::of(snapshot)),
    rank: by_value,
    matches: itself,
    pids: |_| None,
    is_over: |_| false,
};
