//! Fields of findings.

use pintrace_model::field::{finding_column, more};
use pintrace_model::finding::{Finding, FindingKind, Severity};

use super::super::row_fields::RowFields;
use super::{offer, subsystems};

/// Findings. A bare word matches kind, severity, and command name and pid of the process of the pin and of the trigger.
pub const FINDINGS: RowFields<Finding> = RowFields {
    noun: "Findings",
    columns: &[finding_column::COLUMNS, more::FINDING],
    aliases: &[("name", "comm")],
    words: |found, take| {
        let trigger = found
            .trigger
            .as_ref()
            .map(|trigger| (trigger.pid, trigger.comm.as_str()));
        let (trigger_pid, comm) = trigger.unwrap_or((found.pid, ""));
        let words = [&*found.comm, comm, found.kind.as_str(), found.severity.as_str()];
        offer(&[found.pid, trigger_pid], &words, take)
    },
    values: |id| match id {
        "kind" => FindingKind::ALL.iter().map(|kind| kind.as_str()).collect(),
        "severity" => Severity::ALL.iter().map(|severity| severity.as_str()).collect(),
        id => subsystems(id),
    },
};
