//! The source of the snapshots on the screen: a session that runs, or a recording that is replayed.

use std::sync::Arc;

use tokio::sync::watch;

use pintrace_model::snapshot::Snapshot;

use super::app::App;
use super::replay::ReplaySource;

/// The source of the snapshots.
#[derive(Debug)]
pub enum Source {
    /// The latest snapshot of a session.
    Live(watch::Receiver<Arc<Snapshot>>),
    /// A recording.
    Replay(ReplaySource),
}

/// What a change of the source means for the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// The screen changes.
    Screen,
    /// The display does not follow the present.
    Nothing,
    /// No more snapshots come.
    Gone,
}

impl From<watch::Receiver<Arc<Snapshot>>> for Source {
    fn from(snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self::Live(snapshots)
    }
}

impl From<ReplaySource> for Source {
    fn from(replay: ReplaySource) -> Self {
        Self::Replay(replay)
    }
}

impl Source {
    /// Gives the first snapshot to the state.
    pub(super) fn begin(&mut self, app: &mut App) {
        match self {
            Self::Live(snapshots) => {
                let first = snapshots.borrow_and_update().clone();
                app.take(first);
            }
            Self::Replay(replay) => {
                app.time.replay(replay.requests.clone());
                let first = replay.frames.borrow_and_update().clone();
                app.take_frame(first);
            }
        }
    }

    /// Waits for the next change. Returns false if no more changes come.
    pub(super) async fn changed(&mut self) -> bool {
        let changed = match self {
            Self::Live(snapshots) => snapshots.changed().await,
            Self::Replay(replay) => replay.frames.changed().await,
        };
        changed.is_ok()
    }

    /// Gives a change to the state.
    pub(super) fn update(&mut self, is_alive: bool, app: &mut App) -> Changed {
        if !is_alive {
            return Changed::Gone;
        }
        let changes = match self {
            Self::Live(snapshots) => {
                let snapshot = snapshots.borrow_and_update().clone();
                app.take(snapshot)
            }
            Self::Replay(replay) => {
                let frame = replay.frames.borrow_and_update().clone();
                app.take_frame(frame);
                true
            }
        };
        if changes {
            Changed::Screen
        } else {
            Changed::Nothing
        }
    }

    /// Returns true if the last snapshot of a session says that the session has stopped. Nothing follows it.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Live(snapshots) => snapshots.borrow().stopped,
            Self::Replay(_) => false,
        }
    }
}
