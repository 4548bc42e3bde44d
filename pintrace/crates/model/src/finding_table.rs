//! The table of findings. Repeats are folded into one finding. The table is bounded: a severe finding replaces a less
//! severe finding.

use std::collections::BTreeMap;
use std::ops::Range;

use pintrace_events::units::{AccountId, Nanos, Pid};

use crate::assessment::{self, Assessment};
use crate::evidence::{PinState, TriggerState};
use crate::finding::{Finding, FindingKind, Severity, TriggerKind};
use crate::limits;
use crate::pins::{LateStack, PinHolder};
use crate::resolve::Resolver;

/// The key of a finding. Findings with equal keys are repeats of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FindingKey {
    pub(crate) kind: FindingKind,
    pub(crate) trigger: Option<TriggerKind>,
    pub(crate) pid: Pid,
    pub(crate) subject: FindingSubject,
    /// Certain and uncertain findings are counted apart.
    pub(crate) certain: bool,
}

/// The subject of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FindingSubject {
    /// An account.
    Account(AccountId),
    /// Copies, by the id of their sample.
    Cow(u32),
    /// Flush windows of a process, by the time of the first one, which tells processes with the same pid apart.
    Windows(Nanos),
}

/// One finding.
#[derive(Clone, Debug)]
pub(crate) struct FindingState {
    pub(crate) assessment: &'static Assessment,
    pub(crate) holder: PinHolder,
    pub(crate) address: u64,
    pub(crate) end: u64,
    pub(crate) pages: u64,
    pub(crate) count: u64,
    pub(crate) first: Nanos,
    pub(crate) last: Nanos,
    pub(crate) pin: Option<PinState>,
    pub(crate) trigger: Option<TriggerState>,
}

/// All findings.
#[derive(Clone, Debug, Default)]
pub(crate) struct FindingTable {
    by_key: BTreeMap<FindingKey, FindingState>,
    /// Number of findings in `by_key`, by severity.
    kept: BTreeMap<Severity, usize>,
    /// Number of findings since the start, repeats and replaced findings included.
    pub(crate) counts: BTreeMap<(FindingKind, Severity), u64>,
    /// Findings that were replaced or found no room.
    pub(crate) dropped: u64,
}

impl FindingTable {
    pub(crate) fn get(&self, key: &FindingKey) -> Option<&FindingState> {
        self.by_key.get(key)
    }

    /// Inserts a finding, which replaces the finding of the same key.
    pub(crate) fn put(&mut self, key: FindingKey, finding: FindingState) {
        let before = self.by_key.get(&key).map_or(0, |before| before.count);
        let full = self.by_key.len() >= limits::FINDINGS && !self.by_key.contains_key(&key);
        if full && !self.make_room(finding.assessment.severity) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let counted = self
            .counts
            .entry((key.kind, finding.assessment.severity))
            .or_default();
        *counted = counted.saturating_add(finding.count.saturating_sub(before));
        *self.kept.entry(finding.assessment.severity).or_default() += 1;
        if let Some(before) = self.by_key.insert(key, finding) {
            self.forgot(before.assessment.severity);
        }
    }

    /// Inserts a finding, or folds it `times` times into the finding of the same key.
    pub(crate) fn put_or_repeat(
        &mut self,
        key: FindingKey,
        fresh: FindingState,
        times: u64,
        pages_of: impl Fn(&Range<u64>) -> u64,
    ) {
        let finding = match self.by_key.get(&key) {
            Some(earlier) => earlier.clone().repeated(&fresh, times, pages_of),
            None => fresh,
        };
        self.put(key, finding);
    }

    /// Subtracts a finding that left `by_key` from `kept`.
    fn forgot(&mut self, severity: Severity) {
        let kept = self.kept.entry(severity).or_default();
        *kept = kept.saturating_sub(1);
    }

    /// Extends a finding to a later time.
    pub(crate) fn lasted(&mut self, key: &FindingKey, until: Nanos) {
        if let Some(finding) = self.by_key.get_mut(key) {
            finding.last = finding.last.max(until);
        }
    }

    /// Drops the oldest of the least severe findings. Returns false if all findings are at least as severe as
    /// `severity`.
    fn make_room(&mut self, severity: Severity) -> bool {
        let mut lesser = self.kept.range(..severity).filter(|(_, kept)| **kept > 0);
        let Some((&least, _)) = lesser.next() else {
            return false;
        };
        let candidates = self
            .by_key
            .iter()
            .filter(|(_, finding)| finding.assessment.severity == least);
        let Some((&key, _)) = candidates.min_by_key(|(_, finding)| finding.last) else {
            return false;
        };
        self.by_key.remove(&key);
        self.forgot(least);
        self.dropped = self.dropped.saturating_add(1);
        true
    }

    /// Gives a late stack to the pins of findings that lack it.
    pub(crate) fn late_stack(&mut self, late: &LateStack) {
        let pins = self
            .by_key
            .values_mut()
            .filter_map(|finding| finding.pin.as_mut());
        pins.for_each(|pin| pin.late_stack(late));
    }

    /// Returns the findings: worst first, then latest first; then by kind, pid and address, so that a live session and
    /// its replay agree.
    pub(crate) fn list(&self, resolver: &mut Resolver<'_>) -> Vec<Finding> {
        let mut list: Vec<Finding> = self
            .by_key
            .iter()
            .map(|(key, finding)| finding.resolve(*key, resolver))
            .collect();
        list.sort_by_key(|finding| {
            let Finding { severity, last, .. } = finding;
            (
                std::cmp::Reverse((*severity, *last)),
                finding.kind,
                finding.pid,
                finding.address,
            )
        });
        list
    }

    /// Returns the number of findings by kind and severity, with a zero for each combination that can occur.
    pub(crate) fn counts(&self) -> BTreeMap<(FindingKind, Severity), u64> {
        let mut counts = self.counts.clone();
        for assessment in assessment::ALL {
            counts.entry((assessment.kind, assessment.severity)).or_default();
        }
        counts
    }
}

impl FindingState {
    /// Folds a repeat into this finding. The first evidence stays, unless the repeat is more severe. `pages_of` returns
    /// the number of pages of an address range.
    fn repeated(self, repeat: &Self, times: u64, pages_of: impl Fn(&Range<u64>) -> u64) -> Self {
        let (address, end) = (self.address.min(repeat.address), self.end.max(repeat.end));
        let pages = self.pages.saturating_add(repeat.pages);
        let worse = repeat.assessment.severity > self.assessment.severity;
        let (assessment, pin, trigger) = if worse {
            (repeat.assessment, repeat.pin.clone(), repeat.trigger.clone())
        } else {
            (self.assessment, self.pin, self.trigger)
        };
        Self {
            assessment,
            pin,
            trigger,
            address,
            end,
            pages: pages.min(pages_of(&(address..end))),
            count: self.count.saturating_add(times),
            first: self.first.min(repeat.first),
            last: self.last.max(repeat.last),
            holder: self.holder,
        }
    }

    fn resolve(&self, key: FindingKey, resolver: &mut Resolver<'_>) -> Finding {
        Finding {
            kind: key.kind,
            severity: self.assessment.severity,
            certain: self.assessment.is_certain(),
            pid: self.holder.pid,
            comm: self.holder.comm.clone(),
            address: self.address,
            end: self.end,
            pages: self.pages,
            count: self.count,
            first: self.first,
            last: self.last,
            pin: self.pin.as_ref().map(|pin| pin.resolve(resolver)),
            trigger: self.trigger.as_ref().map(|trigger| trigger.resolve(resolver)),
            explanation: self.assessment.explanation,
            advice: self.assessment.advice,
        }
    }
}
