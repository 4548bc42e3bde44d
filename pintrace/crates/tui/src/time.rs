//! The moment on the screen: the present, or one of the last snapshots.

use std::sync::Arc;

use pintrace_events::units::Nanos;
use pintrace_model::history::{History, SnapshotRing};
use pintrace_model::snapshot::Snapshot;

/// Snapshots that are kept, ten minutes at one a second. They share the rows that have not changed between them.
const KEPT: usize = 600;

/// The last snapshots, and the one on the screen.
#[derive(Debug)]
pub(super) struct Timeline {
    ring: SnapshotRing,
    /// The pages of processes over time, up to the present.
    pub(super) history: History,
    /// The snapshot on the screen, if the display does not follow the present.
    paused: Option<Arc<Snapshot>>,
    /// The snapshot with which the others are compared.
    pub(super) baseline: Option<Arc<Snapshot>>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            ring: SnapshotRing::new(KEPT),
            history: History::default(),
            paused: None,
            baseline: None,
        }
    }
}

impl Timeline {
    /// Takes a new snapshot. Returns true if the snapshot on the screen changes.
    pub(super) fn take(&mut self, snapshot: Arc<Snapshot>) -> bool {
        self.history.record(&snapshot);
        self.ring.push(snapshot);
        self.paused.is_none()
    }

    /// Returns the snapshot on the screen.
    pub(super) fn shown(&self) -> Arc<Snapshot> {
        let latest = || self.ring.latest().cloned();
        self.paused.clone().or_else(latest).unwrap_or_default()
    }

    /// Returns how long ago the snapshot on the screen was taken, if the display does not follow the present.
    pub(super) fn paused_since(&self) -> Option<Nanos> {
        let paused = self.paused.as_ref()?;
        Some(self.now().since(paused.time))
    }

    /// Stops at the snapshot on the screen, or returns to the present.
    pub(super) fn toggle(&mut self) {
        self.paused = match self.paused {
            Some(_) => None,
            None => self.ring.latest().cloned(),
        };
    }

    /// Shows the snapshot that is `steps` later. The step after the latest snapshot returns to the present.
    pub(super) fn step(&mut self, steps: isize) {
        let at = self.shown().time;
        let mut back = 0;
        while self.ring.back(back).is_some_and(|snapshot| snapshot.time > at) {
            back += 1;
        }
        let wanted = back.cast_signed().saturating_sub(steps);
        self.paused = match usize::try_from(wanted) {
            Err(_) => None,
            Ok(wanted) => {
                let oldest = self.ring.len().saturating_sub(1);
                self.ring.back(wanted.min(oldest)).cloned()
            }
        };
    }

    /// Shows the snapshot of a time ago; the present for 0. Returns the age of the snapshot.
    pub(super) fn at(&mut self, age: Nanos) -> Nanos {
        self.paused = if age == Nanos(0) {
            None
        } else {
            self.ring.at_age(age).cloned()
        };
        self.paused_since().unwrap_or_default()
    }

    /// Marks the snapshot on the screen as baseline, or forgets the baseline.
    pub(super) fn toggle_baseline(&mut self) {
        self.baseline = match self.baseline {
            Some(_) => None,
            None => Some(self.shown()),
        };
    }

    fn now(&self) -> Nanos {
        self.ring.latest().map_or(Nanos(0), |latest| latest.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot {
            time: Nanos(seconds * 1_000_000_000),
            ..Snapshot::default()
        })
    }

    fn seconds(timeline: &Timeline) -> u64 {
        timeline.shown().time.0 / 1_000_000_000
    }

    #[test]
    fn steps_go_back_and_forward_and_return_to_the_present() {
        let mut timeline = Timeline::default();
        for second in 1..=5 {
            assert!(timeline.take(at(second)));
        }
        timeline.step(-1);
        assert_eq!(
            (seconds(&timeline), timeline.paused_since()),
            (4, Some(Nanos(1_000_000_000)))
        );
        assert!(!timeline.take(at(6)), "the display stays");
        timeline.step(-9);
        assert_eq!(seconds(&timeline), 1);
        timeline.step(2);
        assert_eq!(seconds(&timeline), 3);
        timeline.step(9);
        assert_eq!((seconds(&timeline), timeline.paused_since()), (6, None));
    }

    #[test]
    fn a_moment_is_found_by_its_age() {
        let mut timeline = Timeline::default();
        for second in 1..=100 {
            timeline.take(at(second));
        }
        assert_eq!(timeline.at(Nanos(90_000_000_000)), Nanos(90_000_000_000));
        assert_eq!(seconds(&timeline), 10);
        assert_eq!(timeline.at(Nanos(0)), Nanos(0));
        assert_eq!(timeline.paused_since(), None);
    }
}
