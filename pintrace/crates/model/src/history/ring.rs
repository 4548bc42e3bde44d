//! The latest snapshots.

use std::collections::VecDeque;
use std::sync::Arc;

use pintrace_events::units::Nanos;

use crate::snapshot::Snapshot;

/// The latest snapshots, to step back in time. Snapshots share the rows that have not changed between them.
#[derive(Clone, Debug)]
pub struct SnapshotRing {
    most: usize,
    /// Oldest first.
    snapshots: VecDeque<Arc<Snapshot>>,
}

impl SnapshotRing {
    /// Returns an empty ring for at most `snapshots` snapshots.
    #[must_use]
    pub fn new(snapshots: usize) -> Self {
        Self {
            most: snapshots,
            snapshots: VecDeque::new(),
        }
    }

    /// Adds a snapshot, and drops the oldest one if the ring is full. A snapshot of the same time as the latest one replaces
    /// it, and an earlier snapshot is ignored.
    pub fn push(&mut self, snapshot: Arc<Snapshot>) {
        let latest = self.latest().map(|latest| latest.time);
        if self.most == 0 || latest.is_some_and(|latest| snapshot.time < latest) {
            return;
        }
        if latest == Some(snapshot.time) {
            self.snapshots.pop_back();
        } else if self.snapshots.len() >= self.most {
            self.snapshots.pop_front();
        }
        self.snapshots.push_back(snapshot);
    }

    /// Returns the number of snapshots.
    #[must_use]
    pub fn len(&self) -> usize {
        self.snapshots.len()
    }

    /// Returns true without a snapshot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
    }

    /// Returns the latest snapshot.
    #[must_use]
    pub fn latest(&self) -> Option<&Arc<Snapshot>> {
        self.snapshots.back()
    }

    /// Returns the snapshot that is `steps` before the latest one.
    #[must_use]
    pub fn back(&self, steps: usize) -> Option<&Arc<Snapshot>> {
        let index = self.snapshots.len().checked_sub(1)?.checked_sub(steps)?;
        self.snapshots.get(index)
    }

    /// Returns the latest snapshot that is at least `age` older than the latest one; the oldest snapshot if none is that
    /// old. `None` only if the ring is empty.
    #[must_use]
    pub fn at_age(&self, age: Nanos) -> Option<&Arc<Snapshot>> {
        let latest = self.latest()?.time;
        let young = self
            .snapshots
            .partition_point(|snapshot| latest.since(snapshot.time) >= age);
        self.snapshots.get(young.saturating_sub(1))
    }
}
