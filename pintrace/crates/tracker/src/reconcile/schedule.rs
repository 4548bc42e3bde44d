//! When the ledger is gone through, and how far that has come. Looks at no kernel and no clock: it is told what was seen,
//! and asked what is to be done.

use std::time::{Duration, Instant};

/// Ticks in a row at which vmstat and ledger must differ: at one they may, with pins under way.
const MISMATCHES: u32 = 2;
/// Least time between two healings.
const PAUSE: Duration = Duration::from_millis(500);
/// What is under way for so long is not under way but lost.
const IN_FLIGHT: Duration = Duration::from_millis(20);

/// How far a healing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReconcileStage {
    /// There is none.
    Idle,
    /// The ledger has less than memory shows. What is only under way passes meanwhile.
    Waiting { until: Instant },
    /// The ledger is right, and the sums are not yet.
    Adjusting,
}

/// How much is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remaining {
    /// Ticks without end.
    All,
    /// One more healing, if there is a reason.
    OneMore,
    /// None.
    Nothing,
}

/// The course of all healings.
#[derive(Debug)]
pub(super) struct Schedule {
    stage: ReconcileStage,
    remaining: Remaining,
    mismatches: u32,
    /// Falsifying losses at the last healing.
    losses_at_last: u64,
    /// None begins before.
    next: Instant,
}

impl Schedule {
    /// None has begun.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stage: ReconcileStage::Idle,
            remaining: Remaining::All,
            mismatches: 0,
            losses_at_last: 0,
            next: now,
        }
    }

    /// Whether one is to begin: `wrong` if vmstat and ledger differ, and so many ledger_losses losses there were until now.
    pub(super) fn begins(&mut self, now: Instant, wrong: bool, losses: u64) -> bool {
        // Until the last one shows in the sums, these say nothing.
        let wrong = wrong && self.stage == ReconcileStage::Idle;
        self.mismatches = if wrong { self.mismatches + 1 } else { 0 };
        let last = self.remaining == Remaining::OneMore;
        let confirmed = self.mismatches >= MISMATCHES || (wrong && last);
        !matches!(self.stage, ReconcileStage::Waiting { .. })
            && self.remaining != Remaining::Nothing
            && (confirmed || losses != self.losses_at_last)
            && (last || now >= self.next)
    }

    /// It has begun.
    pub(super) fn begun(&mut self, losses: u64) {
        self.losses_at_last = losses;
        self.mismatches = 0;
        if self.remaining == Remaining::OneMore {
            self.remaining = Remaining::Nothing;
        }
    }

    /// The ledger has less than memory shows.
    pub(super) fn wait(&mut self, now: Instant) {
        self.stage = ReconcileStage::Waiting {
            until: now + IN_FLIGHT,
        };
    }

    /// When what was waited for is to be looked at, if anything is.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.stage {
            ReconcileStage::Waiting { until } => Some(until),
            ReconcileStage::Idle | ReconcileStage::Adjusting => None,
        }
    }

    /// The ledger is right. The next one begins no earlier than after such a pause.
    pub(super) fn finished(&mut self, now: Instant, pause: Duration) {
        self.stage = ReconcileStage::Adjusting;
        self.next = now + pause.max(PAUSE);
    }

    /// Whether the sums are to be set right.
    pub(super) fn is_adjusting(&self) -> bool {
        self.stage == ReconcileStage::Adjusting
    }

    /// The sums are right.
    pub(super) fn adjusted(&mut self) {
        self.stage = ReconcileStage::Idle;
    }

    /// Whether one is under way.
    pub(super) fn is_running(&self) -> bool {
        self.stage != ReconcileStage::Idle
    }

    /// The end is near: one more may begin, and at once.
    pub(super) fn end(&mut self) {
        self.remaining = Remaining::OneMore;
    }

    /// None may begin any more.
    pub(super) fn close(&mut self) {
        self.remaining = Remaining::Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    /// One that has begun because of a loss, and waits.
    fn waiting(now: Instant) -> Schedule {
        let mut schedule = Schedule::new(now);
        assert!(schedule.begins(now, false, 1));
        schedule.begun(1);
        schedule.wait(now);
        schedule
    }

    #[test]
    fn pages_that_may_be_in_flight_are_left_until_later_and_the_tick_ends() {
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
        for turn in 1..5 {
            assert!(!schedule.begins(now + turn * TICK, true, 1));
        }
        schedule.finished(now + 5 * TICK, Duration::ZERO);
        for turn in 6..20 {
            assert!(!schedule.begins(now + turn * TICK, true, 1));
        }
        schedule.adjusted();
        assert!(!schedule.begins(now + 20 * TICK, true, 1));
        assert!(schedule.begins(now + 21 * TICK, true, 1));
    }

    #[test]
    fn a_loss_meanwhile_is_a_reason_for_another_reconciliation_after_the_pause() {
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
