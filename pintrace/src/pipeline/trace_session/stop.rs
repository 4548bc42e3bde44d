//! The end of a trace session.

use pintrace_events::{Body, Event, Stopped};
use pintrace_tracker::reconcile::Reconciler;

use super::TraceSession;
use crate::pipeline::start::SessionError;
use crate::pipeline::stream_header::now;

impl TraceSession {
    /// Takes a sample and allows one more reconciliation. While [`Self::is_reconciling`], further samples are to be taken
    /// before [`Self::stop`].
    pub fn close(&mut self) -> Result<Vec<Event>, SessionError> {
        // A skipped call counts as lost at the second reading.
        self.source.losses()?;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.end();
        }
        self.sample()
    }

    /// Whether a reconciliation is in progress.
    pub fn is_reconciling(&self) -> bool {
        self.reconciler.as_ref().is_some_and(Reconciler::is_running)
    }

    /// The last events.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, SessionError> {
        self.stopping = true;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.close();
        }
        let mut events = self.tick()?;
        events.push(Event {
            time: now(),
            body: Body::Stopped(stopped),
        });
        Ok(events)
    }

    /// Whether an exited process still held pins at the last sample.
    pub fn ended_hold(&self) -> bool {
        self.tracker.ended_hold()
    }

    /// Pages pinned plus pages released so far: unchanged if nothing is pinned or released.
    pub fn activity(&self) -> Result<u64, SessionError> {
        let totals = self.source.totals()?;
        Ok(totals
            .acquired
            .wrapping_add(totals.released)
            .wrapping_add(totals.preexisting_released))
    }
}
