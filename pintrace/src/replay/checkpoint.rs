//! States of the model at some moments, so that going back does not begin at the start of the recording.

use pintrace_model::Model;
use pintrace_model::history::History;
use pintrace_record::Place;

use super::cursor::State;

/// The most checkpoints.
const MOST: usize = 16;
/// The most objects in all checkpoints, of some hundred bytes each.
const OBJECTS: usize = 1 << 19;
/// Events between two checkpoints of a short recording. Applying so many events takes less than a second.
const SPACING: u64 = 1 << 14;

/// A state of the model.
#[derive(Debug)]
struct Checkpoint {
    place: Place,
    state: State,
    objects: usize,
}

/// The checkpoints in order. The distance between them grows with the recording and with the state.
#[derive(Debug)]
pub(super) struct Checkpoints {
    spacing: u64,
    kept: Vec<Checkpoint>,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            spacing: SPACING,
            kept: Vec::new(),
        }
    }
}

impl Checkpoints {
    /// Returns checkpoints that are closer to one another, for tests.
    #[cfg(test)]
    pub(super) fn spaced(spacing: u64) -> Self {
        Self {
            spacing,
            kept: Vec::new(),
        }
    }

    /// Keeps a copy of the state if it is far enough behind the last checkpoint.
    pub(super) fn offer(&mut self, place: Place, model: &Model, history: &History) {
        let last = self.kept.last().map_or(0, |last| last.place.events());
        if place.events() < last.saturating_add(self.spacing) {
            return;
        }
        let objects = model.objects();
        while self.kept.len() >= MOST || (!self.kept.is_empty() && self.objects() + objects > OBJECTS) {
            self.thin();
        }
        let last = self.kept.last().map_or(0, |last| last.place.events());
        if objects <= OBJECTS && place.events() >= last.saturating_add(self.spacing) {
            self.kept.push(Checkpoint {
                place,
                state: State {
                    model: model.clone(),
                    history: history.clone(),
                },
                objects,
            });
        }
    }

    /// Returns the last checkpoint with at most `events` events.
    pub(super) fn before(&self, events: u64) -> Option<(Place, &State)> {
        let later = self
            .kept
            .partition_point(|checkpoint| checkpoint.place.events() <= events);
        let checkpoint = self.kept.get(later.checked_sub(1)?)?;
        Some((checkpoint.place, &checkpoint.state))
    }

    fn objects(&self) -> usize {
        self.kept.iter().map(|checkpoint| checkpoint.objects).sum()
    }

    /// Drops every second checkpoint, and doubles the distance.
    fn thin(&mut self) {
        let mut keep = false;
        self.kept.retain(|_| {
            keep = !keep;
            !keep
        });
        self.spacing = self.spacing.saturating_mul(2);
    }
}
