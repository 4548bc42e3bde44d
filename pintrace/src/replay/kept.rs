//! The snapshots of the last moments up to a place, with the history at each. A step back takes one of them.

use std::collections::VecDeque;
use std::sync::Arc;

use pintrace_model::history::History;
use pintrace_model::snapshot::Snapshot;

/// Most snapshots. They share the rows that have not changed between them.
const MOST: usize = 600;
/// Snapshots from one that keeps its history to the next: the histories between are made from the snapshots.
const HISTORY_EVERY: usize = 64;

/// What is shown at a moment.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) snapshot: Arc<Snapshot>,
    /// The history up to the snapshot.
    pub(super) history: Arc<History>,
}

/// A snapshot that is kept.
#[derive(Clone, Debug)]
struct Kept {
    /// Number of events up to the snapshot.
    events: u64,
    snapshot: Arc<Snapshot>,
    /// The history up to the snapshot. The first snapshot always has it.
    history: Option<Arc<History>>,
}

/// The snapshots, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptSnapshots {
    kept: VecDeque<Kept>,
    /// Snapshots since the last that keeps its history.
    since_history: usize,
}

impl KeptSnapshots {
    /// Adds the snapshot of a later place. `history` has the snapshot.
    pub(super) fn push(&mut self, events: u64, snapshot: Arc<Snapshot>, history: &History) {
        self.since_history += 1;
        let keeps = self.kept.is_empty() || self.since_history >= HISTORY_EVERY;
        if keeps {
            self.since_history = 0;
        }
        self.kept.push_back(Kept {
            events,
            snapshot,
            history: keeps.then(|| Arc::new(history.clone())),
        });
        if self.kept.len() > MOST {
            self.forget_first();
        }
    }

    /// Removes the first snapshot. The next one becomes the first, and so gets its history.
    fn forget_first(&mut self) {
        let Some(first) = self.kept.pop_front() else {
            return;
        };
        if let (Some(next), Some(mut history)) = (self.kept.front_mut(), first.history)
            && next.history.is_none()
        {
            Arc::make_mut(&mut history).record(&next.snapshot);
            next.history = Some(history);
        }
    }

    /// Forgets all snapshots.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the number of events up to the last snapshot.
    pub(super) fn last(&self) -> Option<u64> {
        self.kept.back().map(|last| last.events)
    }

    /// Returns what is shown after a number of events, if that snapshot is kept.
    pub(super) fn at(&self, events: u64) -> Option<Shown> {
        let index = self.kept.binary_search_by_key(&events, |kept| kept.events).ok()?;
        let wanted = self.kept.get(index)?;
        let from = (0..=index).rev().find_map(|earlier| {
            let history = self.kept.get(earlier)?.history.as_ref()?;
            Some((earlier, history))
        });
        let (earlier, history) = from?;
        let mut history = Arc::clone(history);
        for later in self.kept.range(earlier + 1..=index) {
            Arc::make_mut(&mut history).record(&later.snapshot);
        }
        Some(Shown {
            snapshot: Arc::clone(&wanted.snapshot),
            history,
        })
    }
}
