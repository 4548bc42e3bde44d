//! Pending-flush windows: totals by process and cause, and what happened in them.

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{Cause, WindowsSampled};

use super::assessment::{self, Assessment};
use super::evidence::{PinHolder, TriggerState};
use super::finding::{FindingKind, TriggerKind, WindowTotals};
use super::findings::{FindingKey, FindingState, FindingSubject};
use super::fold::Model;
use super::limits;

/// The latest sample of each process and cause. A pid that is used again is another process's.
#[derive(Clone, Debug, Default)]
pub(super) struct WindowTable {
    latest: BTreeMap<(Pid, Cause, u32), WindowsSampled>,
}

impl WindowTable {
    /// Takes a sample and says the how-many-eth process of that pid it is about; `None` when there is no room.
    fn sample(&mut self, sample: &WindowsSampled) -> Option<u32> {
        let (pid, cause) = (sample.pid, sample.cause);
        let of_pid = self.latest.range((pid, cause, 0)..=(pid, cause, u32::MAX));
        let turn = match of_pid.last() {
            Some(((.., turn), before)) if sample.first > before.last => turn.saturating_add(1),
            Some(((.., turn), _)) => *turn,
            None => 0,
        };
        let key = (pid, cause, turn);
        if self.latest.len() >= limits::WINDOWS && !self.latest.contains_key(&key) {
            return None;
        }
        let mut kept = sample.clone();
        kept.comm = limits::clip(&kept.comm, limits::COMM_CHARS);
        kept.durations.truncate(u64::BITS as usize + 1);
        self.latest.insert(key, kept);
        Some(turn)
    }

    pub(super) fn list(&self) -> Vec<WindowTotals> {
        self.latest.values().map(totals).collect()
    }
}

fn totals(sample: &WindowsSampled) -> WindowTotals {
    WindowTotals {
        pid: sample.pid,
        comm: sample.comm.clone(),
        cause: sample.cause,
        count: sample.windows,
        pages: sample.pages,
        p50: quantile(sample, 50),
        p99: quantile(sample, 99),
        max: Nanos(sample.longest_ns),
        faults: sample.faults,
        cows: sample.copies,
        pins: sample.pins,
    }
}

/// That many in a hundred windows were no longer than this: the upper bound of the bucket, and never more than the
/// longest.
fn quantile(sample: &WindowsSampled, percent: u128) -> Nanos {
    let all: u128 = sample.durations.iter().map(|count| u128::from(*count)).sum();
    let wanted = (all * percent).div_ceil(100);
    let mut seen = 0;
    for (power, count) in (0_u32..).zip(&sample.durations) {
        seen += u128::from(*count);
        if seen >= wanted && wanted > 0 {
            let bound = 1_u64.checked_shl(power).unwrap_or(u64::MAX);
            return Nanos(bound.min(sample.longest_ns));
        }
    }
    Nanos(sample.longest_ns)
}

impl Model {
    /// Takes a sample in place of the earlier one; false when there is no room.
    pub(super) fn windows_sampled(&mut self, sample: &WindowsSampled) -> bool {
        let Some(turn) = self.windows.sample(sample) else {
            return false;
        };
        if sample.faults > 0 {
            self.in_window(
                turn,
                sample,
                &assessment::FAULT_IN_WINDOW,
                sample.faults,
                sample.address,
            );
        }
        if sample.pins > 0 {
            // The address is that of a fault where there was one.
            let address = if sample.faults == 0 { sample.address } else { 0 };
            self.in_window(turn, sample, &assessment::PIN_IN_WINDOW, sample.pins, address);
        }
        true
    }

    fn in_window(
        &mut self,
        turn: u32,
        sample: &WindowsSampled,
        assessment: &'static Assessment,
        count: u64,
        address: u64,
    ) {
        let what = TriggerKind::Protected(sample.cause);
        let key = FindingKey {
            kind: assessment.kind,
            trigger: Some(what),
            pid: sample.pid,
            subject: FindingSubject::Windows(turn),
            certain: true,
        };
        let page = self
            .started
            .as_ref()
            .map_or(4096, |started| u64::from(started.page_size));
        let found = FindingState {
            assessment,
            holder: PinHolder {
                pid: sample.pid,
                comm: limits::clip(&sample.comm, limits::COMM_CHARS),
            },
            address,
            end: if address == 0 {
                0
            } else {
                address.saturating_add(page)
            },
            pages: if assessment.kind == FindingKind::PinInFlushWindow {
                count
            } else {
                count.min(sample.pages)
            },
            count,
            first: sample.first,
            last: sample.last,
            pin: None,
            trigger: Some(TriggerState::new(what, sample.pid, Tid(0), &sample.comm, None)),
        };
        self.findings.put(key, found);
    }
}
