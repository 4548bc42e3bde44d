//! All names that users see and scripts depend on. The glossary must explain each name.

use pintrace_common::counters::Loss;
use pintrace_events::{Cause, MappingChange};

use crate::finding::{FindingKind, Severity, TriggerKind};
use crate::snapshot::Snapshot;
use crate::subsystem::Subsystem;

use super::{
    call_site, cgroup, difference, finding_column, folded_finding, header, holder, metric, more, pin,
    pin_call, process, subsystem, system, window,
};

/// Returns the ids of all columns and figures, sorted, without repeats.
#[must_use]
pub fn column_ids() -> Vec<&'static str> {
    let ids = process::all().map(|column| column.id);
    let ids = ids.chain(more::FINDING.iter().map(|column| column.id));
    let ids = ids.chain(subsystem::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(finding_column::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(window::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(pin_call::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(pin_call::IN_FLIGHT.iter().map(|column| column.id));
    let ids = ids.chain(cgroup::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(pin::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(holder::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(call_site::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(folded_finding::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(more::FOLDED_FINDING.iter().map(|column| column.id));
    let ids = ids.chain(system::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(more::SYSTEM.iter().map(|column| column.id));
    let ids = ids.chain(difference::COLUMNS.iter().map(|column| column.id));
    let ids = ids.chain(header::FIGURES.iter().map(|figure| figure.id));
    sorted(ids)
}

/// Returns the names of all metrics, sorted.
#[must_use]
pub fn metrics() -> Vec<&'static str> {
    let families = metric::families(&Snapshot::default());
    sorted(families.iter().map(|family| family.metric.name))
}

/// Returns the names of all loss counters, sorted.
#[must_use]
pub fn loss_counters() -> Vec<&'static str> {
    sorted(Loss::ALL.iter().map(|loss| loss.name()))
}

/// Returns the values of columns, JSON keys and metric labels that come from a fixed list: kinds and severities of
/// findings, triggers, causes and subsystems. The values are sorted, without repeats.
#[must_use]
pub fn values() -> Vec<&'static str> {
    let causes = || Cause::ALL.iter().copied();
    let kinds = FindingKind::ALL.iter().map(|kind| kind.as_str());
    let values = kinds.chain(Severity::ALL.iter().map(|severity| severity.as_str()));
    let values = values.chain(MappingChange::ALL.iter().map(|change| change.as_str()));
    let values = values.chain([TriggerKind::Write.as_str(), TriggerKind::Unshare.as_str()]);
    let values = values.chain(causes().map(|cause| TriggerKind::Protected(cause).as_str()));
    let values = values.chain(causes().map(Cause::as_str));
    let values = values.chain(Subsystem::ALL.iter().map(|subsystem| subsystem.as_str()));
    sorted(values)
}

fn sorted(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_its_names() {
        assert!(column_ids().contains(&"pages_held") && column_ids().contains(&"unaccounted"));
        assert!(metrics().contains(&"pintrace_lost_total"));
        assert_eq!(loss_counters().len(), Loss::COUNT);
        assert!(values().contains(&"undeclared-longterm") && values().contains(&"pending_uffd_wp"));
    }
}
