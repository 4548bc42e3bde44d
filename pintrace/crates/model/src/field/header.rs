//! Figures of the whole host, which show whether the other figures can be trusted.

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

/// Every figure, in display order.
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
        "Pages that are still held by pins taken before the start.",
        |snapshot| Value::Signed(snapshot.balance.preexisting_held),
    ),
    pages(
        "ledger_held",
        "ledger",
        Some(Metric::gauge("pintrace_ledger_held_pages")),
        "Pages held now by pins that pintrace saw.",
        |snapshot| Value::Signed(snapshot.balance.ledger_held),
    ),
    pages(
        "in_flight",
        "in_flight",
        Some(Metric::gauge("pintrace_in_flight_pages")),
        "Difference that comes only from calls in flight, and from pins and releases between the two readings.",
        |snapshot| of_vmstat(snapshot, |balance| Value::Signed(balance.in_flight)),
    ),
    pages(
        "unaccounted",
        "unaccounted",
        Some(Metric::gauge("pintrace_unaccounted_pages")),
        "Pages that vmstat holds beyond the ledger, the preexisting pins and the calls in flight: 0 unless something was lost.",
        |snapshot| of_vmstat(snapshot, |balance| Value::Signed(balance.unaccounted)),
    ),
    pages(
        "vmstat_acquired",
        "vmstat acquired",
        Some(Metric::counter("pintrace_vmstat_acquired_pages_total")),
        "Pages pinned since the start, by the kernel's vmstat counters (nr_foll_pin_acquired).",
        |snapshot| {
            since_start(
                snapshot,
                of_vmstat(snapshot, |balance| Value::Count(balance.vmstat_acquired)),
            )
        },
    ),
    pages(
        "vmstat_released",
        "vmstat released",
        Some(Metric::counter("pintrace_vmstat_released_pages_total")),
        "Pages released since the start, by the kernel's vmstat counters (nr_foll_pin_released).",
        |snapshot| {
            since_start(
                snapshot,
                of_vmstat(snapshot, |balance| Value::Count(balance.vmstat_released)),
            )
        },
    ),
    pages(
        "ledger_acquired",
        "ledger acquired",
        Some(Metric::counter("pintrace_ledger_acquired_pages_total")),
        "Pages pinned since the start, as pintrace saw them.",
        |snapshot| since_start(snapshot, Value::Count(snapshot.balance.ledger_acquired)),
    ),
    pages(
        "ledger_released",
        "ledger released",
        Some(Metric::counter("pintrace_ledger_released_pages_total")),
        "Pages released since the start, of pins that pintrace saw.",
        |snapshot| since_start(snapshot, Value::Count(snapshot.balance.ledger_released)),
    ),
    pages(
        "preexisting_released",
        "preexisting released",
        Some(Metric::counter("pintrace_preexisting_released_pages_total")),
        "Pages released since the start, of pins taken before the start.",
        |snapshot| Value::Count(snapshot.balance.preexisting_released),
    ),
    pages(
        "lost_pin_released",
        "lost pin released",
        Some(Metric::counter("pintrace_lost_pin_released_pages_total")),
        "Pages released since the start whose pin no hook saw, although the pin was taken since the start.",
        |snapshot| Value::Count(snapshot.balance.lost_pin_released),
    ),
    pages(
        "not_in_vmstat",
        "not_in_vmstat",
        Some(Metric::counter("pintrace_not_in_vmstat_pages_total")),
        "Pages that legacy direct I/O pinned again (folio_add_pin): the kernel's vmstat counters count only their \
         release.",
        |snapshot| Value::Count(snapshot.balance.not_in_vmstat),
    ),
    pages(
        "gup_retry",
        "gup_retry",
        Some(Metric::counter("pintrace_gup_retry_pages_total")),
        "Pages that the kernel pinned and unpinned again inside one pin call, to migrate them.",
        |snapshot| Value::Count(snapshot.balance.gup_retry),
    ),
    pages(
        "ambiguous_owner",
        "ambiguous_owner",
        Some(Metric::counter("pintrace_ambiguous_owner_pages_total")),
        "Pages released from a folio with pins of several owners: the owner was chosen by rule.",
        |snapshot| Value::Count(snapshot.balance.ambiguous_owner),
    ),
    pages(
        "reconciled",
        "reconciled",
        Some(Metric::counter("pintrace_reconciled_pages_total")),
        "Pages added to or removed from the ledger after a loss, to agree with a scan of memory.",
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
        help: "Age of the oldest pin that pintrace saw and that is still held; 0 without such a pin.",
        metric: Some(Metric::gauge("pintrace_oldest_pin_age_seconds")),
        align: Align::Right,
        drop_rank: 0,
        value: |snapshot| {
            let holding = snapshot.processes.iter().filter(|process| process.pages_held > 0);
            let oldest = holding.map(|process| process.oldest(snapshot.time)).max();
            since_start(snapshot, Value::Span(oldest.unwrap_or_default()))
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

/// Returns the figure with an id.
#[must_use]
pub fn figure(id: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| figure.id == id)
}

/// Returns a count of pins or releases since the start; absent in mode scan, which counts none, and for which the kernel's
/// counters are those since boot.
fn since_start(snapshot: &Snapshot, value: Value<'static>) -> Value<'static> {
    if snapshot.started.mode == "scan" {
        Value::Absent
    } else {
        value
    }
}

/// Returns a figure of the vmstat counters; absent if the counters cannot be read.
fn of_vmstat(snapshot: &Snapshot, value: fn(&Balance) -> Value<'static>) -> Value<'static> {
    if snapshot.balance.vmstat_readable {
        value(&snapshot.balance)
    } else {
        Value::Absent
    }
}
