//! When the ledger is gone through, and how far that has come. Looks at no kernel and no clock: it is told what was seen,
//! and asked what is to be done.

use std::time::{Duration, Instant};

/// Ticks in a row at which books and ledger must differ: at one they may, with pins under way.
const DOUBTS: u32 = 2;
/// Least time between two healings.
const PAUSE: Duration = Duration::from_millis(500);
/// What is under way for so long is not under way but lost.
const UNDER_WAY: Duration = Duration::from_millis(20);

/// How far a healing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Rest,
    /// The ledger has less than memory shows. What is only under way passes meanwhile.
    Waiting { until: Instant },
    /// The ledger is right, and the sums are not yet.
    Summing,
}

/// How much is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Ticks without end.
    All,
    /// One more healing, if there is a reason.
    OneHealing,
    /// None.
    Nothing,
}

/// The course of all healings.
#[derive(Debug)]
pub(super) struct Course {
    stage: Stage,
    rest: Rest,
    doubts: u32,
    /// Falsifying losses at the last healing.
    healed_at: u64,
    /// None begins before.
    next: Instant,
}

impl Course {
    /// None has begun.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stage: Stage::Rest,
            rest: Rest::All,
            doubts: 0,
            healed_at: 0,
            next: now,
        }
    }

    /// Whether one is to begin: `wrong` if books and ledger differ, and so many falsifying losses there were until now.
    pub(super) fn begins(&mut self, now: Instant, wrong: bool, losses: u64) -> bool {
        // Until the last one shows in the sums, these say nothing.
        let wrong = wrong && self.stage == Stage::Rest;
        self.doubts = if wrong { self.doubts + 1 } else { 0 };
        let last = self.rest == Rest::OneHealing;
        let doubted = self.doubts >= DOUBTS || (wrong && last);
        !matches!(self.stage, Stage::Waiting { .. })
            && self.rest != Rest::Nothing
            && (doubted || losses != self.healed_at)
            && (last || now >= self.next)
    }

    /// It has begun.
    pub(super) fn begun(&mut self, losses: u64) {
        self.healed_at = losses;
        self.doubts = 0;
        if self.rest == Rest::OneHealing {
            self.rest = Rest::Nothing;
        }
    }

    /// The ledger has less than memory shows.
    pub(super) fn wait(&mut self, now: Instant) {
        self.stage = Stage::Waiting {
            until: now + UNDER_WAY,
        };
    }

    /// When what was waited for is to be looked at, if anything is.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Rest | Stage::Summing => None,
        }
    }

    /// The ledger is right. The next one begins no earlier than after such a pause.
    pub(super) fn mended(&mut self, now: Instant, pause: Duration) {
        self.stage = Stage::Summing;
        self.next = now + pause.max(PAUSE);
    }

    /// Whether the sums are to be set right.
    pub(super) fn is_summing(&self) -> bool {
        self.stage == Stage::Summing
    }

    /// The sums are right.
    pub(super) fn summed(&mut self) {
        self.stage = Stage::Rest;
    }

    /// Whether one is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.stage != Stage::Rest
    }

    /// The end is near: one more may begin, and at once.
    pub(super) fn end(&mut self) {
        self.rest = Rest::OneHealing;
    }

    /// None may begin any more.
    pub(super) fn close(&mut self) {
        self.rest = Rest::Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    /// One that has begun because of a loss, and waits.
    fn waiting(now: Instant) -> Course {
        let mut course = Course::new(now);
        assert!(course.begins(now, false, 1));
        course.begun(1);
        course.wait(now);
        course
    }

    #[test]
    fn what_may_be_under_way_is_left_until_later_and_the_tick_ends() {
        let now = Instant::now();
        let mut course = waiting(now);
        assert_eq!(course.due(), Some(now + UNDER_WAY));
        assert!(course.is_under_way() && !course.is_summing());
        course.mended(now + UNDER_WAY, Duration::ZERO);
        assert_eq!(course.due(), None);
        assert!(course.is_summing());
        course.summed();
        assert!(!course.is_under_way());
    }

    #[test]
    fn books_and_ledger_must_differ_twice() {
        let now = Instant::now();
        let mut course = Course::new(now);
        assert!(!course.begins(now, true, 0));
        assert!(!course.begins(now + TICK, false, 0));
        assert!(!course.begins(now + 2 * TICK, true, 0));
        assert!(course.begins(now + 3 * TICK, true, 0));
    }

    #[test]
    fn while_one_is_under_way_what_is_wrong_is_no_reason_for_another() {
        let now = Instant::now();
        let mut course = waiting(now);
        for turn in 1..5 {
            assert!(!course.begins(now + turn * TICK, true, 1));
        }
        course.mended(now + 5 * TICK, Duration::ZERO);
        for turn in 6..20 {
            assert!(!course.begins(now + turn * TICK, true, 1));
        }
        course.summed();
        assert!(!course.begins(now + 20 * TICK, true, 1));
        assert!(course.begins(now + 21 * TICK, true, 1));
    }

    #[test]
    fn a_loss_meanwhile_is_a_reason_for_another_after_the_pause() {
        let now = Instant::now();
        let mut course = waiting(now);
        assert!(!course.begins(now + TICK, false, 2));
        course.mended(now + TICK, Duration::from_secs(1));
        assert!(!course.begins(now + 2 * TICK, false, 2));
        assert!(course.begins(now + TICK + Duration::from_secs(1), false, 2));
    }

    #[test]
    fn at_the_end_one_begins_at_once_and_no_other() {
        let now = Instant::now();
        let mut course = waiting(now);
        course.mended(now, Duration::from_mins(1));
        course.summed();
        course.end();
        assert!(!course.begins(now, false, 1));
        assert!(course.begins(now, true, 1));
        course.begun(1);
        course.mended(now, Duration::ZERO);
        course.summed();
        assert!(!course.begins(now + Duration::from_mins(2), true, 2));
    }
}
