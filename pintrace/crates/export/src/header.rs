//! Renders the lines above a table: kernel, balance, losses and probes.

use std::collections::BTreeMap;

use pintrace_events::units::Nanos;
use pintrace_model::field::header::figure;
use pintrace_model::field::process::traced_titles;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::{suppressed, text};

/// Returns a figure of the header as text; empty for an unknown id.
pub(super) fn shown(snapshot: &Snapshot, id: &str) -> String {
    figure(id).map_or_else(String::new, |figure| (figure.value)(snapshot).text())
}

/// Returns the release of the kernel and the machine.
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

/// Returns the balance as a sum: vmstat = ledger + preexisting + in flight + unaccounted.
pub(super) fn balance(snapshot: &Snapshot) -> String {
    let shown = |id| shown(snapshot, id);
    if !snapshot.balance.vmstat_readable {
        return format!(
            "vmstat unreadable   ledger {}   preexisting {}",
            shown("ledger_held"),
            shown("preexisting_held")
        );
    }
    if snapshot.started.mode == "scan" {
        // A scan does not know which pins are older than the session.
        return format!(
            "vmstat {} = scan {} + unaccounted {}",
            shown("vmstat_held"),
            shown("ledger_held"),
            shown("unaccounted"),
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

/// Returns the losses by reason.
pub(super) fn lost(snapshot: &Snapshot) -> String {
    let unapplied_events = [("unapplied_events", snapshot.unapplied_events)];
    let reasons = snapshot
        .loss
        .iter()
        .chain(&unapplied_events)
        .filter(|(_, count)| *count > 0);
    let reasons: Vec<_> = reasons.map(|(name, count)| format!("{name} {count}")).collect();
    if reasons.is_empty() {
        return "lost 0".into();
    }
    let lost = format!("lost {}", reasons.join(", "));
    match suppressed::processes(&snapshot.suppressed) {
        Some(processes) => format!("{lost}   changes of {processes}"),
        None => lost,
    }
}

/// Returns the columns that mode scan cannot fill, and the reason for mode scan; `None` in other modes.
pub(super) fn untraced(snapshot: &Snapshot) -> Option<String> {
    let started = &snapshot.started;
    (started.mode == "scan").then(|| {
        let why = match started.without_trace.as_str() {
            "" => " (--mode scan)".to_owned(),
            why => format!(", because {}", text::printable(why)),
        };
        let columns = traced_titles().join(", ");
        format!(
            "Memory is scanned and nothing is traced{why}. Only tracing knows rates, ages and call stacks, so these columns are \
             unknown (-): {columns}. `pintrace doctor` shows what this system allows."
        )
    })
}

/// Returns the number of attached programs by method, or the duration of the latest memory scan if no program is
/// attached.
pub(super) fn probes(snapshot: &Snapshot) -> String {
    if let Some(scan) = snapshot.scan
        && snapshot.started.probes.is_empty()
    {
        return format!("memory scanned in {}", text::span(Nanos(scan.took_ns)));
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

/// Returns the number of functions that could not be hooked; `None` if all functions are hooked.
pub(super) fn missing(snapshot: &Snapshot) -> Option<String> {
    let count = snapshot.started.missing.len();
    (count > 0)
        .then(|| format!("missing hooks: {count}. See pintrace doctor for the events that are not seen"))
}
