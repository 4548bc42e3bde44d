//! Figures of the whole host: whether the rest can be believed.

use crate::snapshot::{Balance, Snapshot};

use super::{Align, Field, Metric, Unit, Value};

/// A figure of the header.
pub type Figure = Field<Snapshot>;

const fn pages(
    id: &'static str,
    title: &'static str,
    metric: Option<Metric>,
    help: &'static str,
    value: for<'a> fn(&'a Snapshot) -> Value<'a>,
) -> Figure {
    Figure {
        id,
        title,
        unit: Unit::Pages,
        help,
        metric,
        align: Align::Right,
        drop_rank: 0,
        value,
    }
}

/// Every figure, in the order in which they stand.
pub const FIGURES: &[Figure] = &[
    pages(
        "vmstat_held",
        "vmstat",
        Some(Metric::gauge("pintrace_vmstat_held_pages")),
        "Pages pinned on the host now, by the kernel's vmstat counters.",
        |snapshot| of_vmstat(snapshot, |balance| Value::Signed(balance.vmstat_held)),
    ),
    pages(
        "preexisting_held",
        "preexisting",
        Some(Metric::gauge("pintrace_preexisting_held_pages")),
        "Pages still held of the pins taken before the start.",
        |snapshot| Value::Signed(snapshot.balance.preexisting_held),
    ),
    pages(
        "ledger_held",
        "ledger",
        Some(Metric::gauge("pintrace_ledger_held_pages")),
        "Pages held now of the pins that pintrace saw.",
        |snapshot| Value::Signed(snapshot.balance.ledger_held),
    ),
    pages(
        "unaccounted",
        "unaccounted",
        Some(Metric::gauge("pintrace_unaccounted_pages")),
        "Vmstat less preexisting pins less ledger: 0 unless something was lost.",
        |snapshot| of_vmstat(snapshot, |balance| Value::Signed(balance.unaccounted)),
    ),
    pages(
        "vmstat_acquired",
        "vmstat acquired",
        Some(Metric::counter("pintrace_vmstat_acquired_pages_total")),
        "Pages pinned since the start, by the kernel's vmstat counters (nr_foll_pin_acquired).",
        |snapshot| of_vmstat(snapshot, |balance| Value::Count(balance.vmstat_acquired)),
    ),
    pages(
        "vmstat_released",
        "vmstat released",
        Some(Metric::counter("pintrace_vmstat_released_pages_total")),
        "Pages released since the start, by the kernel's vmstat counters (nr_foll_pin_released).",
        |snapshot| of_vmstat(snapshot, |balance| Value::Count(balance.vmstat_released)),
    ),
    pages(
        "ledger_acquired",
        "ledger acquired",
        Some(Metric::counter("pintrace_ledger_acquired_pages_total")),
        "Pages that pintrace saw pinned since the start.",
        |snapshot| Value::Count(snapshot.balance.ledger_acquired),
    ),
    pages(
        "ledger_released",
        "ledger released",
        Some(Metric::counter("pintrace_ledger_released_pages_total")),
        "Pages that pintrace saw released since the start, of pins that it had seen.",
        |snapshot| Value::Count(snapshot.balance.ledger_released),
    ),
    pages(
        "preexisting_released",
        "preexisting released",
        Some(Metric::counter("pintrace_preexisting_released_pages_total")),
        "Pages released since the start, of pins taken before the start.",
        |snapshot| Value::Count(snapshot.balance.preexisting_released),
    ),
    pages(
        "not_in_vmstat",
        "not_in_vmstat",
        Some(Metric::counter("pintrace_not_in_vmstat_pages_total")),
        "Pages pinned once more by legacy direct I/O, which the kernel's vmstat counters count only when they are released.",
        |snapshot| Value::Count(snapshot.balance.not_in_vmstat),
    ),
    pages(
        "gup_retry",
        "gup_retry",
        Some(Metric::counter("pintrace_gup_retry_pages_total")),
        "Pages that the kernel pinned and dropped again inside a pin call.",
        |snapshot| Value::Count(snapshot.balance.gup_retry),
    ),
    pages(
        "ambiguous_owner",
        "ambiguous_owner",
        Some(Metric::counter("pintrace_ambiguous_owner_pages_total")),
        "Pages released from a folio that several holders had pinned: the holder was chosen by rule.",
        |snapshot| Value::Count(snapshot.balance.ambiguous_owner),
    ),
    pages(
        "reconciled",
        "reconciled",
        Some(Metric::counter("pintrace_reconciled_pages_total")),
        "Pages that the ledger lacked after a loss, or had too much, and that a look at memory set right.",
        |snapshot| Value::Count(snapshot.balance.reconciled_pages),
    ),
    Figure {
        id: "duration",
        title: "for",
        unit: Unit::Time,
        help: "Time since counting began.",
        metric: Some(Metric::gauge("pintrace_trace_duration_seconds")),
        align: Align::Right,
        drop_rank: 0,
        value: |snapshot| Value::Span(snapshot.duration),
    },
    Figure {
        id: "processes",
        title: "processes",
        unit: Unit::Count,
        help: "Processes that hold pinned pages now.",
        metric: Some(Metric::gauge("pintrace_holding_processes")),
        align: Align::Right,
        drop_rank: 0,
        value: |snapshot| {
            let holding = snapshot
                .processes
                .iter()
                .filter(|process| process.pages_held > 0)
                .count();
            Value::Count(u64::try_from(holding).unwrap_or(u64::MAX))
        },
    },
    Figure {
        id: "oldest",
        title: "oldest",
        unit: Unit::Time,
        help: "Age of the oldest pin that pintrace saw and that is still held; 0 when none is.",
        metric: Some(Metric::gauge("pintrace_oldest_pin_age_seconds")),
        align: Align::Right,
        drop_rank: 0,
        value: |snapshot| {
            let holding = snapshot.processes.iter().filter(|process| process.pages_held > 0);
            Value::Span(holding.map(|process| process.oldest).max().unwrap_or_default())
        },
    },
    Figure {
        id: "lost",
        title: "lost",
        unit: Unit::Count,
        help: "Sum of all loss counters: 0 means that nothing was lost.",
        metric: None,
        align: Align::Right,
        drop_rank: 0,
        value: |snapshot| Value::Count(snapshot.lost()),
    },
];

/// The figure of that id.
#[must_use]
pub fn figure(id: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| figure.id == id)
}

/// A figure of the vmstat counters means nothing where they cannot be read.
fn of_vmstat(snapshot: &Snapshot, value: fn(&Balance) -> Value<'static>) -> Value<'static> {
    if snapshot.balance.vmstat_readable {
        value(&snapshot.balance)
    } else {
        Value::Absent
    }
}
