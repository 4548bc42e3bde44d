//! The circumstances of the session: mode, hooks, findings that cannot be found, and details that were given up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pintrace_events::units::Nanos;

use crate::field::Value;
use crate::field::header::figure;
use crate::finding::coverage;
use crate::finding::text::{checked, dropped};
use crate::shed;
use crate::snapshot::Snapshot;
use crate::text::printable;

use super::{SystemGroup, SystemRow};

pub(super) fn rows(snapshot: &Snapshot) -> Vec<SystemRow> {
    let started = &snapshot.started;
    let mut rows = vec![text("host", &started.host), text("kernel", &started.kernel)];
    rows.push(SystemRow {
        explanation: printable(&started.without_trace).into(),
        ..text("mode", &started.mode)
    });
    let figures = ["duration", "processes", "oldest"]
        .iter()
        .filter_map(|id| figure(id));
    rows.extend(figures.map(|figure| {
        let value = (figure.value)(snapshot).into_owned();
        let label = if figure.id == "duration" {
            figure.id
        } else {
            figure.title
        };
        SystemRow::new(SystemGroup::Session, label, value, figure.help)
    }));
    rows.extend(snapshot.scan.map(|scan| {
        let took = Value::Span(Nanos(scan.took_ns));
        SystemRow::new(
            SystemGroup::Session,
            "scan took",
            took,
            "Time of the latest scan of memory.",
        )
    }));
    rows.extend(probes(snapshot));
    rows.extend(missing(snapshot));
    let windows = (!snapshot.windows.is_empty()).then(|| checked(snapshot.flush_check));
    let notes = [
        ("findings", coverage::not_covered(started)),
        ("finding hooks", snapshot.finding_hooks.note()),
        ("dropped findings", dropped(snapshot.findings_dropped)),
        ("flush check", windows),
        ("budget", shed::note(&snapshot.shed)),
    ];
    rows.extend(notes.into_iter().filter_map(|(label, note)| {
        note.map(|note| SystemRow::new(SystemGroup::Session, label, Value::Absent, note))
    }));
    rows
}

/// Returns the number of attached programs, in all and by the way of attaching.
fn probes(snapshot: &Snapshot) -> Vec<SystemRow> {
    let probes = &snapshot.started.probes;
    let mut by_method: BTreeMap<&str, u64> = BTreeMap::new();
    for probe in probes {
        *by_method.entry(&probe.method).or_default() += 1;
    }
    let row = |label: Cow<'static, str>, count: u64, help: &'static str| {
        SystemRow::new(SystemGroup::Session, label, Value::Count(count), help)
    };
    let all = row("probes".into(), probes.len() as u64, "Attached programs.");
    let methods = by_method
        .into_iter()
        .map(|(method, count)| row(printable(method).into(), count, "").part());
    [all].into_iter().chain(methods).collect()
}

/// Returns the number of hooks that are missing, and of each hook what pintrace does not see.
fn missing(snapshot: &Snapshot) -> Vec<SystemRow> {
    let missing = &snapshot.started.missing;
    let count = Value::Count(missing.len() as u64);
    let help = "Kernel functions that could not be hooked, and paths whose pins reach no hook.";
    let all =
        SystemRow::new(SystemGroup::Session, "missing hooks", count, help).alarm_if(!missing.is_empty());
    let each = missing.iter().map(|hook| {
        let label = match hook.function.as_str() {
            "" => "path".to_owned(),
            function => printable(function),
        };
        let why = format!(
            "Not seen: {} ({})",
            printable(&hook.lost),
            printable(&hook.reason())
        );
        SystemRow::new(SystemGroup::Session, label, Value::Absent, why)
            .part()
            .alarm_if(true)
    });
    [all].into_iter().chain(each).collect()
}

fn text(label: &'static str, text: &str) -> SystemRow {
    let value = match text {
        "" => Value::Absent,
        text => Value::Text(printable(text).into()),
    };
    SystemRow::new(SystemGroup::Session, label, value, "")
}
