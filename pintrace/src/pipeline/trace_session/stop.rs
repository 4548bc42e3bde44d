//! The end of a trace session.

use pintrace_events::{Body, Event, Stopped};
use pintrace_tracker::reconcile::Reconciler;

use super::TraceSession;
use crate::pipeline::start::SessionError;
use crate::pipeline::stream_header::now;

/// Most samples at the end of a trace; on a machine that pins without a break none of them agrees with itself.
const MOST_SAMPLES: u32 = 4;

impl TraceSession {
    /// Takes a sample and allows one more reconciliation. While [`Self::is_reconciling`], the caller takes further
    /// samples before [`Self::stop`].
    pub fn close(&mut self) -> Result<Vec<Event>, SessionError> {
        // Two readings in a row have to find a skipped call before the call counts as lost; the sample takes the
        // second.
        self.source.losses()?;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.end();
        }
        self.sample()
    }

    /// Returns true if a reconciliation is in progress.
    pub fn is_reconciling(&self) -> bool {
        self.reconciler.as_ref().is_some_and(Reconciler::is_running)
    }

    /// Returns the last events of the stream.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, SessionError> {
        self.stopping = true;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.close();
        }
        let mut events = self.settled_sample()?;
        for body in [Body::Tick, Body::Stopped(stopped)] {
            events.push(Event { time: now(), body });
        }
        Ok(events)
    }

    /// Takes samples until no page was pinned or released during one, or until there are [`MOST_SAMPLES`]. The totals
    /// and the accounts are read one after the other, so they agree in such a sample only.
    fn settled_sample(&mut self) -> Result<Vec<Event>, SessionError> {
        let mut events = Vec::new();
        for _ in 0..MOST_SAMPLES {
            let before = self.activity()?;
            events.extend(self.sample()?);
            if self.activity()? == before {
                break;
            }
        }
        Ok(events)
    }

    /// Returns true if an exited process held pins at the last sample.
    pub fn ended_hold(&self) -> bool {
        self.tracker.ended_hold()
    }

    /// Returns the number of pages pinned and released so far. The number is unchanged while no page is pinned or
    /// released.
    pub fn activity(&self) -> Result<u64, SessionError> {
        let totals = self.source.totals()?;
        Ok(totals
            .acquired
            .wrapping_add(totals.released)
            .wrapping_add(totals.preexisting_released))
    }
}
