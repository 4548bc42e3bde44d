//! Figures of the whole host: whether the rest can be believed.

use crate::snapshot::{Snapshot, Truth};

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
        "books_held",
        "books",
        Some(Metric::gauge("pintrace_books_held_pages")),
        "Pages pinned on the host now, by the kernel's own books.",
        |snapshot| of_books(snapshot, |truth| Value::Signed(truth.books_held)),
    ),
    pages(
        "opening_held",
        "older",
        Some(Metric::gauge("pintrace_opening_held_pages")),
        "Pages still held of the pins older than the start.",
        |snapshot| Value::Signed(snapshot.truth.opening_held),
    ),
    pages(
        "ledger_held",
        "ledger",
        Some(Metric::gauge("pintrace_ledger_held_pages")),
        "Pages held now of the pins that pintrace saw.",
        |snapshot| Value::Signed(snapshot.truth.ledger_held),
    ),
    pages(
        "unaccounted",
        "unaccounted",
        Some(Metric::gauge("pintrace_unaccounted_pages")),
        "Books less older pins less ledger: 0 unless something was lost.",
        |snapshot| of_books(snapshot, |truth| Value::Signed(truth.unaccounted)),
    ),
    pages(
        "books_acquired",
        "books acquired",
        Some(Metric::counter("pintrace_books_acquired_pages_total")),
        "Pages pinned since the start, by the kernel's own books (nr_foll_pin_acquired).",
        |snapshot| of_books(snapshot, |truth| Value::Count(truth.books_acquired)),
    ),
    pages(
        "books_released",
        "books released",
        Some(Metric::counter("pintrace_books_released_pages_total")),
        "Pages released since the start, by the kernel's own books (nr_foll_pin_released).",
        |snapshot| of_books(snapshot, |truth| Value::Count(truth.books_released)),
    ),
    pages(
        "ledger_acquired",
        "ledger acquired",
        Some(Metric::counter("pintrace_ledger_acquired_pages_total")),
        "Pages that pintrace saw pinned since the start.",
        |snapshot| Value::Count(snapshot.truth.ledger_acquired),
    ),
    pages(
        "ledger_released",
        "ledger released",
        Some(Metric::counter("pintrace_ledger_released_pages_total")),
        "Pages that pintrace saw released since the start, of pins that it had seen.",
        |snapshot| Value::Count(snapshot.truth.ledger_released),
    ),
    pages(
        "opening_released",
        "older released",
        Some(Metric::counter("pintrace_opening_released_pages_total")),
        "Pages released since the start, of pins older than the start.",
        |snapshot| Value::Count(snapshot.truth.opening_released),
    ),
    pages(
        "unbooked",
        "unbooked",
        Some(Metric::counter("pintrace_unbooked_pages_total")),
        "Pages pinned once more by legacy direct I/O, which the kernel's own books count only when they are released.",
        |snapshot| Value::Count(snapshot.truth.unbooked),
    ),
    pages(
        "internal",
        "internal",
        Some(Metric::counter("pintrace_internal_pages_total")),
        "Pages that the kernel pinned and dropped again inside a pin call.",
        |snapshot| Value::Count(snapshot.truth.internal),
    ),
    pages(
        "ambiguous",
        "ambiguous",
        Some(Metric::counter("pintrace_ambiguous_pages_total")),
        "Pages released from a folio that several holders had pinned: the holder was chosen by rule.",
        |snapshot| Value::Count(snapshot.truth.ambiguous),
    ),
    pages(
        "healed",
        "healed",
        Some(Metric::counter("pintrace_healed_pages_total")),
        "Pages that the ledger lacked after a loss, or had too much, and that a look at memory set right.",
        |snapshot| Value::Count(snapshot.truth.healed_pages),
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

/// A figure of the books means nothing where they cannot be read.
fn of_books(snapshot: &Snapshot, value: fn(&Truth) -> Value<'static>) -> Value<'static> {
    if snapshot.truth.books_readable {
        value(&snapshot.truth)
    } else {
        Value::Absent
    }
}
