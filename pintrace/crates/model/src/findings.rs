//! The findings so far: repeats are folded, room is bounded, and a worse one never lacks it for a lesser one.

use std::collections::BTreeMap;

use pintrace_events::units::{AccountId, Nanos, Pid, StackId};

use super::assessment::{self, Assessment};
use super::derive::Deriver;
use super::evidence::{PinHolder, PinState, TriggerState};
use super::finding::{Finding, FindingKind, Severity, TriggerKind};
use super::limits;

/// What makes two findings one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FindingKey {
    pub(super) kind: FindingKind,
    pub(super) trigger: Option<TriggerKind>,
    pub(super) pid: Pid,
    pub(super) subject: FindingSubject,
    /// What is certain is counted apart from what is not.
    pub(super) certain: bool,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FindingSubject {
    /// An account.
    Account(AccountId),
    /// Copies, by the id of their samples.
    Cow(u32),
    /// Windows of a process, and the how-many-eth of its pid it is.
    Windows(u32),
}

/// One finding.
#[derive(Clone, Debug)]
pub(super) struct FindingState {
    pub(super) assessment: &'static Assessment,
    pub(super) holder: PinHolder,
    pub(super) address: u64,
    pub(super) end: u64,
    pub(super) pages: u64,
    pub(super) count: u64,
    pub(super) first: Nanos,
    pub(super) last: Nanos,
    pub(super) pin: Option<PinState>,
    pub(super) trigger: Option<TriggerState>,
}

/// All findings.
#[derive(Clone, Debug, Default)]
pub(super) struct FindingTable {
    by_key: BTreeMap<FindingKey, FindingState>,
    /// How many of `by_key` are how severe.
    kept: BTreeMap<Severity, usize>,
    /// How often each kind and severity was found, also what has no place any more.
    pub(super) counts: BTreeMap<(FindingKind, Severity), u64>,
    pub(super) dropped: u64,
}

impl FindingTable {
    pub(super) fn get(&self, key: &FindingKey) -> Option<&FindingState> {
        self.by_key.get(key)
    }

    /// Puts a finding in, in place of the one that stands under its key.
    pub(super) fn put(&mut self, key: FindingKey, found: FindingState) {
        let before = self.by_key.get(&key).map_or(0, |before| before.count);
        let full = self.by_key.len() >= limits::FINDINGS && !self.by_key.contains_key(&key);
        if full && !self.make_room(found.assessment.severity) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let counted = self
            .counts
            .entry((key.kind, found.assessment.severity))
            .or_default();
        *counted = counted.saturating_add(found.count.saturating_sub(before));
        *self.kept.entry(found.assessment.severity).or_default() += 1;
        if let Some(before) = self.by_key.insert(key, found) {
            self.forgot(before.assessment.severity);
        }
    }

    fn forgot(&mut self, severity: Severity) {
        let kept = self.kept.entry(severity).or_default();
        *kept = kept.saturating_sub(1);
    }

    /// Says that a finding still held at a moment.
    pub(super) fn lasted(&mut self, key: &FindingKey, until: Nanos) {
        if let Some(found) = self.by_key.get_mut(key) {
            found.last = found.last.max(until);
        }
    }

    /// Gives up the oldest of the least severe, if that is less severe than `severity`.
    fn make_room(&mut self, severity: Severity) -> bool {
        let mut lesser = self.kept.range(..severity).filter(|(_, kept)| **kept > 0);
        let Some((&least, _)) = lesser.next() else {
            return false;
        };
        let candidates = self
            .by_key
            .iter()
            .filter(|(_, found)| found.assessment.severity == least);
        let Some((&key, _)) = candidates.min_by_key(|(_, found)| found.last) else {
            return false;
        };
        self.by_key.remove(&key);
        self.forgot(least);
        self.dropped = self.dropped.saturating_add(1);
        true
    }

    /// A stack came later than the pin that it belongs to; `extent` is none for an account's.
    pub(super) fn late_stack(&mut self, account: AccountId, extent: Option<(u64, Nanos)>, stack: StackId) {
        let pins = self.by_key.values_mut().filter_map(|found| found.pin.as_mut());
        pins.for_each(|pin| pin.late_stack(account, extent, stack));
    }

    /// Worst first, then latest first; then by kind, touch and process, so that live and replay agree.
    pub(super) fn list(&self, deriver: &mut Deriver<'_>) -> Vec<Finding> {
        let mut list: Vec<Finding> = self
            .by_key
            .iter()
            .map(|(key, found)| found.resolve(*key, deriver))
            .collect();
        list.sort_by_key(|found| {
            let Finding { severity, last, .. } = found;
            (
                std::cmp::Reverse((*severity, *last)),
                found.kind,
                found.pid,
                found.address,
            )
        });
        list
    }

    /// How often each kind was found at each severity that it can have.
    pub(super) fn counts(&self) -> BTreeMap<(FindingKind, Severity), u64> {
        let mut counts = self.counts.clone();
        for assessment in assessment::ALL {
            counts.entry((assessment.kind, assessment.severity)).or_default();
        }
        counts
    }
}

impl FindingState {
    fn resolve(&self, key: FindingKey, deriver: &mut Deriver<'_>) -> Finding {
        Finding {
            kind: key.kind,
            severity: self.assessment.severity,
            certain: *self.assessment != assessment::UNCERTAIN,
            pid: self.holder.pid,
            comm: self.holder.comm.clone(),
            address: self.address,
            end: self.end,
            pages: self.pages,
            count: self.count,
            first: self.first,
            last: self.last,
            pin: self.pin.as_ref().map(|pin| pin.resolve(deriver)),
            trigger: self.trigger.as_ref().map(|trigger| trigger.resolve(deriver)),
            explanation: self.assessment.explanation,
            advice: self.assessment.advice,
        }
    }
}
