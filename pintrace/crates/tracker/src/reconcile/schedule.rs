//! Decides when a reconciliation begins, and follows its stages. The caller passes the time, the differences and the
//! losses: this module reads no clock and no kernel.

use std::time::{Duration, Instant};

/// Number of ticks in a row at which vmstat and ledger must differ. A difference at one tick may come from pins in
/// flight.
const MISMATCHES: u32 = 2;
/// Least time between two reconciliations.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest time that a pin is in flight. A pin that the ledger still lacks after this time was lost.
const IN_FLIGHT: Duration = Duration::from_millis(20);

/// Time after which the ledger is compared again while a long-term call is in flight.
const POSTPONED: Duration = Duration::from_secs(1);

/// The stage of a reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReconcileStage {
    /// No reconciliation is in progress.
    Idle,
    /// The ledger has fewer pins than memory. The reconciliation waits until pins in flight have passed.
    Waiting { until: Instant },
    /// The ledger is correct, and the totals are not yet adjusted.
    Adjusting,
}

/// The reconciliations that may still begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remaining {
    /// Any number of reconciliations.
    All,
    /// One more reconciliation.
    OneMore,
    /// No further reconciliation.
    Nothing,
}

/// The schedule of all reconciliations of a session.
#[derive(Debug)]
pub(super) struct Schedule {
    stage: ReconcileStage,
    remaining: Remaining,
    mismatches: u32,
    /// Losses that falsify the ledger, at the last reconciliation.
    losses_at_last: u64,
    /// Earliest time of the next reconciliation.
    next: Instant,
}

impl Schedule {
    /// Starts without a reconciliation.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stage: ReconcileStage::Idle,
            remaining: Remaining::All,
            mismatches: 0,
            losses_at_last: 0,
            next: now,
        }
    }

    /// Returns true if a reconciliation is to begin. `wrong` is true if vmstat and ledger differ. `losses` is the
    /// number of losses since the start that falsify the ledger.
    pub(super) fn begins(&mut self, now: Instant, wrong: bool, losses: u64) -> bool {
        // A difference counts only after the totals are adjusted by the last reconciliation.
        let wrong = wrong && self.stage == ReconcileStage::Idle;
        self.mismatches = if wrong { self.mismatches + 1 } else { 0 };
        let last = self.remaining == Remaining::OneMore;
        let confirmed = self.mismatches >= MISMATCHES || (wrong && last);
        !matches!(self.stage, ReconcileStage::Waiting { .. })
            && self.remaining != Remaining::Nothing
            && (confirmed || losses != self.losses_at_last)
            && (last || now >= self.next)
    }

    /// A reconciliation has begun.
    pub(super) fn begun(&mut self, losses: u64) {
        self.losses_at_last = losses;
        self.mismatches = 0;
        if self.remaining == Remaining::OneMore {
            self.remaining = Remaining::Nothing;
        }
    }

    /// The ledger has fewer pins than memory: waits until pins in flight have passed.
    pub(super) fn wait(&mut self, now: Instant) {
        self.stage = ReconcileStage::Waiting {
            until: now + IN_FLIGHT,
        };
    }

    /// A long-term call is in flight, whose pins the ledger may lack: waits longer.
    pub(super) fn postpone(&mut self, now: Instant) {
        self.stage = ReconcileStage::Waiting {
            until: now + POSTPONED,
        };
    }

    /// Returns the end of the wait for pins in flight, if the reconciliation waits.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.stage {
            ReconcileStage::Waiting { until } => Some(until),
            ReconcileStage::Idle | ReconcileStage::Adjusting => None,
        }
    }

    /// The ledger is correct. The next reconciliation begins no earlier than after `pause`.
    pub(super) fn finished(&mut self, now: Instant, pause: Duration) {
        self.stage = ReconcileStage::Adjusting;
        self.next = now + pause.max(PAUSE);
    }

    /// Returns true if the totals are to be adjusted.
    pub(super) fn is_adjusting(&self) -> bool {
        self.stage == ReconcileStage::Adjusting
    }

    /// The totals are adjusted.
    pub(super) fn adjusted(&mut self) {
        self.stage = ReconcileStage::Idle;
    }

    /// Returns true if a reconciliation is in progress.
    pub(super) fn is_running(&self) -> bool {
        self.stage != ReconcileStage::Idle
    }

    /// Allows one more reconciliation without a pause, because the session is about to end.
    pub(super) fn end(&mut self) {
        self.remaining = Remaining::OneMore;
    }

    /// Allows no further reconciliation.
    pub(super) fn close(&mut self) {
        self.remaining = Remaining::Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    /// Returns the schedule of a reconciliation that began after a loss and waits.
    fn waiting(now: Instant) -> Schedule {
        let mut schedule = Schedule::new(now);
        assert!(schedule.begins(now, false, 1));
        schedule.begun(1);
        schedule.wait(now);
        schedule
    }

    #[test]
    fn a_reconciliation_waits_for_pins_in_flight_then_adjusts() {
        let now = Instant::now();
        let mut schedule = waiting(now);
        assert_eq!(schedule.due(), Some(now + IN_FLIGHT));
        assert!(schedule.is_running() && !schedule.is_adjusting());
        schedule.finished(now + IN_FLIGHT, Duration::ZERO);
        assert_eq!(schedule.due(), None);
        assert!(schedule.is_adjusting());
        schedule.adjusted();
        assert!(!schedule.is_running());
    }

    #[test]
    fn vmstat_and_ledger_must_differ_twice() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        assert!(!schedule.begins(now, true, 0));
        assert!(!schedule.begins(now + TICK, false, 0));
        assert!(!schedule.begins(now + 2 * TICK, true, 0));
        assert!(schedule.begins(now + 3 * TICK, true, 0));
    }

    #[test]
    fn a_running_reconciliation_is_no_reason_for_another() {
        let now = Instant::now();
        let mut schedule = waiting(now);
        for tick in 1..5 {
            assert!(!schedule.begins(now + tick * TICK, true, 1));
        }
        schedule.finished(now + 5 * TICK, Duration::ZERO);
        for tick in 6..20 {
            assert!(!schedule.begins(now + tick * TICK, true, 1));
        }
        schedule.adjusted();
        assert!(!schedule.begins(now + 20 * TICK, true, 1));
        assert!(schedule.begins(now + 21 * TICK, true, 1));
    }

    #[test]
    fn a_loss_during_a_reconciliation_starts_another_reconciliation_after_the_pause() {
        let now = Instant::now();
        let mut schedule = waiting(now);
        assert!(!schedule.begins(now + TICK, false, 2));
        schedule.finished(now + TICK, Duration::from_secs(1));
        assert!(!schedule.begins(now + 2 * TICK, false, 2));
        assert!(schedule.begins(now + TICK + Duration::from_secs(1), false, 2));
    }

    #[test]
    fn at_the_end_one_reconciliation_begins_at_once_and_no_other() {
        let now = Instant::now();
        let mut schedule = waiting(now);
        schedule.finished(now, Duration::from_mins(1));
        schedule.adjusted();
        schedule.end();
        assert!(!schedule.begins(now, false, 1));
        assert!(schedule.begins(now, true, 1));
        schedule.begun(1);
        schedule.finished(now, Duration::ZERO);
        schedule.adjusted();
        assert!(!schedule.begins(now + Duration::from_mins(2), true, 2));
    }
}
