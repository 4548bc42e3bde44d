//! The lines above a table: where the figures come from, and whether they can be believed.

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

/// Books against ledger, as the sum that it is.
pub(super) fn truth(snapshot: &Snapshot) -> String {
    let shown = |id| shown(snapshot, id);
    if !snapshot.truth.books_readable {
        return format!(
            "books unreadable   ledger {}   older {}",
            shown("ledger_held"),
            shown("opening_held")
        );
    }
    let under_way = match snapshot.truth.under_way {
        0 => String::new(),
        pages => format!(" + under way {pages}"),
    };
    let healed = match snapshot.truth.healed_pages {
        0 => String::new(),
        pages => format!("   healed {pages}"),
    };
    format!(
        "books {} = ledger {} + older {}{under_way} + unaccounted {}{healed}",
        shown("books_held"),
        shown("ledger_held"),
        shown("opening_held"),
        shown("unaccounted"),
    )
}

/// What was lost, by reason.
pub(super) fn lost(snapshot: &Snapshot) -> String {
    let unfolded = [("unfolded", snapshot.unfolded)];
    let reasons = snapshot
        .loss
        .iter()
        .chain(&unfolded)
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
    (started.witness == "state").then(|| {
        let why = if started.without_events.is_empty() {
            "asked for".to_owned()
        } else {
            text::printable(&started.without_events)
        };
        let columns = traced_titles().join(", ");
        format!("memory is looked at and nothing traced, so {columns} are not known: {why}")
    })
}

/// How many programs are attached, by method; how long the latest look at memory took.
pub(super) fn probes(snapshot: &Snapshot) -> String {
    if let Some(state) = snapshot.state
        && snapshot.started.probes.is_empty()
    {
        return format!("looked at memory in {}", text::span(Nanos(state.took_ns)));
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
