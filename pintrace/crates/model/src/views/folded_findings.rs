//! Findings folded by program: findings of one kind and trigger, by processes of one name, at one place.

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Pid};

use crate::caller;
use crate::finding::{Finding, FindingKind, Severity, TriggerKind};
use crate::snapshot::Snapshot;

/// Findings that differ only in the process, the address and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedFinding {
    /// Kind of the findings.
    pub kind: FindingKind,
    /// The operation that caused them, if there was one.
    pub trigger: Option<TriggerKind>,
    /// The worst severity.
    pub severity: Severity,
    /// At least one of the findings is certain.
    pub certain: bool,
    /// Command name of the processes.
    pub comm: String,
    /// The function that pinned, else the innermost function of the trigger; empty if neither is known.
    pub place: String,
    /// Number of times, repeats included.
    pub count: u64,
    /// Time of the first occurrence.
    pub first: Nanos,
    /// Time of the latest occurrence.
    pub last: Nanos,
    /// The processes, by pid.
    pub pids: Vec<Pid>,
    /// Positions of the findings in [`Snapshot::findings`], in order.
    pub findings: Vec<usize>,
}

/// Returns the folded findings, worst first, then latest first.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Vec<FoldedFinding> {
    let mut rows: Vec<FoldedFinding> = Vec::new();
    let mut by_key = BTreeMap::new();
    for (position, finding) in snapshot.findings.iter().enumerate() {
        let trigger = finding.trigger.as_ref().map(|trigger| trigger.what);
        let place = place(finding);
        let key = (finding.kind, trigger, finding.comm.as_str(), place.clone());
        let index = *by_key.entry(key).or_insert_with(|| {
            rows.push(FoldedFinding {
                kind: finding.kind,
                trigger,
                severity: finding.severity,
                certain: false,
                comm: finding.comm.clone(),
                place,
                count: 0,
                first: finding.first,
                last: finding.last,
                pids: Vec::new(),
                findings: Vec::new(),
            });
            rows.len() - 1
        });
        rows[index].add(position, finding);
    }
    for row in &mut rows {
        row.pids.sort_unstable();
        row.pids.dedup();
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.severity, row.last)));
    rows
}

impl FoldedFinding {
    fn add(&mut self, position: usize, finding: &Finding) {
        self.severity = self.severity.max(finding.severity);
        self.certain |= finding.certain;
        self.count = self.count.saturating_add(finding.count);
        self.first = self.first.min(finding.first);
        self.last = self.last.max(finding.last);
        self.pids.push(finding.pid);
        self.findings.push(position);
    }
}

/// Returns the function that pinned, else the innermost function of the trigger.
fn place(finding: &Finding) -> String {
    let pinned = finding.pin.as_ref().map(|pin| pin.caller.as_ref());
    if let Some(caller) = pinned.filter(|caller| !caller.is_empty()) {
        return caller.to_owned();
    }
    let trigger = finding.trigger.as_ref();
    let frames = trigger.and_then(|trigger| caller::of_frames(&trigger.stack));
    frames.unwrap_or_default()
}
