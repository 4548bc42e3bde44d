//! The lines above a table: the source of the figures, the balance and the losses.

use std::collections::BTreeMap;

use pintrace_events::units::Nanos;
use pintrace_model::field::header::figure;
use pintrace_model::field::process::traced_titles;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;

/// A figure of the header as text.
pub(super) fn shown(snapshot: &Snapshot, id: &str) -> String {
    figure(id).map_or_else(String::new, |figure| (figure.value)(snapshot).text())
}

/// Kernel and machine.
pub(super) fn kernel(snapshot: &Snapshot) -> String {
    let started = &snapshot.started;
    if started.kernel.is_empty() {
        return "kernel unknown".into();
    }
    format!(
        "kernel {} {}",
        text::printable(&started.kernel),
        text::printable(&started.machine)
    )
}

/// Vmstat against ledger, as the sum that it is.
pub(super) fn balance(snapshot: &Snapshot) -> String {
    let shown = |id| shown(snapshot, id);
    if !snapshot.balance.vmstat_readable {
        return format!(
            "vmstat unreadable   ledger {}   preexisting {}",
            shown("ledger_held"),
            shown("preexisting_held")
        );
    }
    let in_flight = match snapshot.balance.in_flight {
        0 => String::new(),
        pages => format!(" + in flight {pages}"),
    };
    let reconciled = match snapshot.balance.reconciled_pages {
        0 => String::new(),
        pages => format!("   reconciled {pages}"),
    };
    format!(
        "vmstat {} = ledger {} + preexisting {}{in_flight} + unaccounted {}{reconciled}",
        shown("vmstat_held"),
        shown("ledger_held"),
        shown("preexisting_held"),
        shown("unaccounted"),
    )
}

/// What was lost, by reason.
pub(super) fn lost(snapshot: &Snapshot) -> String {
    let unapplied_events = [("unapplied_events", snapshot.unapplied_events)];
    let reasons = snapshot
        .loss
        .iter()
        .chain(&unapplied_events)
        .filter(|(_, count)| *count > 0);
    let reasons: Vec<_> = reasons.map(|(name, count)| format!("{name} {count}")).collect();
    if reasons.is_empty() {
        "lost 0".into()
    } else {
        format!("lost {}", reasons.join(", "))
    }
}

/// What is not known where nothing is traced, and why nothing is; nothing where something is.
pub(super) fn untraced(snapshot: &Snapshot) -> Option<String> {
    let started = &snapshot.started;
    (started.mode == "scan").then(|| {
        let why = if started.without_trace.is_empty() {
            "asked for".to_owned()
        } else {
            text::printable(&started.without_trace)
        };
        let columns = traced_titles().join(", ");
        format!("memory is looked at and nothing traced, so {columns} are not known: {why}")
    })
}

/// How many programs are attached, by method; how long the latest look at memory took.
pub(super) fn probes(snapshot: &Snapshot) -> String {
    if let Some(scan) = snapshot.scan
        && snapshot.started.probes.is_empty()
    {
        return format!("looked at memory in {}", text::span(Nanos(scan.took_ns)));
    }
    let mut methods: BTreeMap<&str, usize> = BTreeMap::new();
    for probe in &snapshot.started.probes {
        *methods.entry(&probe.method).or_default() += 1;
    }
    let count = snapshot.started.probes.len();
    if methods.is_empty() {
        return format!("probes {count}");
    }
    let methods: Vec<_> = methods
        .iter()
        .map(|(method, count)| format!("{} {count}", text::printable(method)))
        .collect();
    format!("probes {count} ({})", methods.join(", "))
}

/// That some functions could not be hooked, if so.
pub(super) fn missing(snapshot: &Snapshot) -> Option<String> {
    let count = snapshot.started.missing.len();
    (count > 0).then(|| format!("{count} missing: not everything is seen, see pintrace doctor"))
}
