//! A session that traces the kernel's functions, as a stream of events.

mod coverage;
mod start;
mod stop;
mod tick;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use pintrace_probes::apply::HookOutcome;
use pintrace_source::trace_source::TraceSource;
use pintrace_tracker::reconcile::Reconciler;
use pintrace_tracker::sampler::Sampler;
use pintrace_tracker::tracker::Tracker;
use tokio::io::unix::AsyncFd;

use super::stream_header::now;

/// A traced kernel.
pub struct TraceSession {
    source: TraceSource,
    tracker: Tracker,
    emitted_losses: BTreeMap<String, u64>,
    /// Lost records when the extent table was last read whole.
    resynced_at: u64,
    unwritten: u64,
    stopping: bool,
    /// The scan beside the trace; `None` in mode `trace` and where the kernel cannot be scanned.
    reconciler: Option<Reconciler>,
}

impl TraceSession {
    /// The outcome of each hook.
    pub fn outcomes(&self) -> &[HookOutcome] {
        self.source.outcomes()
    }

    /// Readable when the ring buffer holds records.
    pub fn poll_ring(&self) -> std::io::Result<AsyncFd<OwnedFd>> {
        self.source.poll_ring()
    }

    /// Sets how many events a recording could not take.
    pub fn count_unwritten(&mut self, total: u64) {
        self.unwritten = total;
    }

    /// When a sample is due before the next tick.
    pub fn due(&self) -> Option<Instant> {
        self.reconciler.as_ref().and_then(Reconciler::due)
    }

    fn sampling(&mut self) -> (Option<&mut Reconciler>, Sampler<'_>) {
        let sampler = Sampler {
            source: &mut self.source,
            tracker: &mut self.tracker,
            unwritten: self.unwritten,
            last: self.stopping,
            clock: now,
        };
        (self.reconciler.as_mut(), sampler)
    }
}
