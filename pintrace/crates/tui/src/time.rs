//! The moment on the screen: the present, one of the last snapshots, or a moment of a recording.

use std::sync::Arc;

use pintrace_events::units::Nanos;
use pintrace_model::history::{History, SnapshotRing};
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;
use tokio::sync::mpsc::UnboundedSender;

use super::replay::{Replay, ReplayFrame, ReplayRequest, ReplayTarget};

/// Snapshots that are kept, ten minutes at one a second. They share the rows that have not changed between them.
const KEPT: usize = 600;

/// The last snapshots, and the one on the screen.
#[derive(Debug)]
pub(super) struct Timeline {
    ring: SnapshotRing,
    /// The pages of processes over time, up to the present.
    history: History,
    /// The snapshot on the screen, if the display does not follow the present.
    paused: Option<Arc<Snapshot>>,
    /// The snapshot with which the others are compared.
    pub(super) baseline: Option<Arc<Snapshot>>,
    /// The recording, if the snapshots come from one.
    replay: Option<Replay>,
}

/// The moment on the screen in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MomentWords {
    /// The latest snapshot of a session.
    Present,
    /// How old the snapshot is.
    Paused(String),
    /// The place in a recording, and why the recording ends early.
    Replay {
        words: String,
        /// The command that goes on, or leaves work that takes long.
        key: &'static str,
        early_end: Option<Arc<str>>,
    },
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            ring: SnapshotRing::new(KEPT),
            history: History::default(),
            paused: None,
            baseline: None,
            replay: None,
        }
    }
}

impl Timeline {
    /// Takes a new snapshot. Returns true if the snapshot on the screen changes.
    pub(super) fn take(&mut self, snapshot: Arc<Snapshot>) -> bool {
        // Before the first sample, the snapshot is empty and has no time.
        if snapshot.time > Nanos(0) {
            self.history.record(&snapshot);
            self.ring.push(snapshot);
        }
        self.paused.is_none()
    }

    /// Shows a recording from now on.
    pub(super) fn replay(&mut self, requests: UnboundedSender<ReplayRequest>) {
        self.replay = Some(Replay::new(requests));
    }

    pub(super) fn is_replay(&self) -> bool {
        self.replay.is_some()
    }

    /// Takes a moment of the recording.
    pub(super) fn take_frame(&mut self, frame: ReplayFrame) {
        if let Some(replay) = &mut self.replay {
            replay.frame = frame;
        }
    }

    /// Leaves the work of a replay that takes long. Returns false if there is none.
    pub(super) fn leave(&self) -> bool {
        let works = |replay: &&Replay| replay.frame.state.work.is_some();
        let Some(replay) = self.replay.as_ref().filter(works) else {
            return false;
        };
        replay.ask(ReplayRequest::Leave);
        true
    }

    /// Returns the pages of processes over time.
    pub(super) fn history(&self) -> &History {
        let of_replay = self.replay.as_ref().map(|replay| &*replay.frame.history);
        of_replay.unwrap_or(&self.history)
    }

    /// Returns the moment in words.
    pub(super) fn words(&self) -> MomentWords {
        match &self.replay {
            Some(replay) => MomentWords::Replay {
                words: replay.frame.state.words(),
                key: replay.frame.state.command(),
                early_end: replay.frame.state.early_end.clone(),
            },
            None => match self.paused_since() {
                Some(age) => MomentWords::Paused(text::span(age)),
                None => MomentWords::Present,
            },
        }
    }

    /// Returns the snapshot on the screen.
    pub(super) fn shown(&self) -> Arc<Snapshot> {
        if let Some(replay) = &self.replay {
            return replay.frame.snapshot.clone();
        }
        let latest = || self.ring.latest().cloned();
        self.paused.clone().or_else(latest).unwrap_or_default()
    }

    /// Returns how long ago the snapshot on the screen was taken, if the display does not follow the present.
    pub(super) fn paused_since(&self) -> Option<Nanos> {
        let paused = self.paused.as_ref()?;
        Some(self.now().since(paused.time))
    }

    /// Stops at the snapshot on the screen, or returns to the present. In a replay, plays or pauses.
    pub(super) fn toggle(&mut self) {
        if let Some(replay) = &self.replay {
            return replay.ask(ReplayRequest::Toggle);
        }
        self.paused = match self.paused {
            Some(_) => None,
            None => self.ring.latest().cloned(),
        };
    }

    /// Returns what [`Timeline::toggle`] does, for the footer.
    pub(super) fn toggle_hint(&self) -> &'static str {
        match (&self.replay, &self.paused) {
            (Some(replay), _) if replay.frame.state.plays => "pause",
            (Some(_), _) => "play",
            (None, Some(_)) => "resume",
            (None, None) => "pause",
        }
    }

    /// Shows the snapshot that is `steps` later. The step after the latest snapshot returns to the present.
    pub(super) fn step(&mut self, steps: isize) {
        if let Some(replay) = &self.replay {
            return replay.ask(ReplayRequest::Step(steps));
        }
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

    /// Goes to a moment. Returns a message if the nearest snapshot is far from it, or if it lies outside the recording.
    pub(super) fn go_to(&mut self, target: ReplayTarget) -> Option<String> {
        if let Some(replay) = &self.replay {
            replay.ask(ReplayRequest::To(target));
            return replay.frame.state.outside(target);
        }
        let age = match target {
            ReplayTarget::Start => Nanos(u64::MAX),
            ReplayTarget::End => Nanos(0),
            ReplayTarget::After(age) | ReplayTarget::BeforeEnd(age) => age,
        };
        let shown = self.at(age);
        let is_far = target != ReplayTarget::Start && shown.0.abs_diff(age.0) > age.0 / 4;
        is_far.then(|| format!("The nearest snapshot is {} old.", text::span(shown)))
    }

    /// Shows the snapshot of a time ago; the present for 0. Returns the age of the snapshot.
    fn at(&mut self, age: Nanos) -> Nanos {
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
    fn the_oldest_snapshot_is_the_first_sample() {
        let mut timeline = Timeline::default();
        for snapshot in [Arc::default(), at(5), at(6)] {
            timeline.take(snapshot);
        }
        timeline.go_to(ReplayTarget::Start);
        assert_eq!(seconds(&timeline), 5);
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
