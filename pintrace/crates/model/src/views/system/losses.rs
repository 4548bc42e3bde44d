//! The losses by stage. A stage that lost nothing is one row.

use crate::field::Value;
use crate::loss;
use crate::snapshot::Snapshot;
use crate::suppressed;

use super::{SystemGroup, SystemRow};

pub(super) fn rows(snapshot: &Snapshot) -> Vec<SystemRow> {
    let unapplied = ("unapplied_events", snapshot.unapplied_events);
    let losses = || snapshot.loss.iter().copied().chain([unapplied]);
    // A counter that this version does not know comes last.
    let mut stages: Vec<&str> = losses().map(|(name, _)| loss::stage(name)).collect();
    stages.sort_by_key(|stage| *stage == loss::stage(""));
    stages.dedup();
    let mut rows = Vec::new();
    for stage in stages {
        let lost = losses().filter(|(name, count)| *count > 0 && loss::stage(name) == stage);
        let lost: Vec<_> = lost.map(|(name, count)| row(name, count)).collect();
        let none = if lost.is_empty() {
            "None lost at this stage."
        } else {
            ""
        };
        let is_alarm = lost.iter().any(|row| row.is_alarm);
        rows.push(SystemRow::new(SystemGroup::Loss, stage, Value::Absent, none).alarm_if(is_alarm));
        rows.extend(lost);
    }
    rows.extend(suppressed::processes(&snapshot.suppressed).map(|processes| {
        SystemRow::new(
            SystemGroup::Loss,
            "changes_suppressed by process",
            Value::Absent,
            processes,
        )
    }));
    rows
}

fn row(name: &'static str, count: u64) -> SystemRow {
    SystemRow::new(SystemGroup::Loss, name, Value::Count(count), loss::help(name))
        .part()
        .alarm_if(loss::changes_figures(name))
}
