//! A session in mode trace: hooks trace the kernel's pin functions, and records and maps become events.

mod coverage;
mod start;
mod stop;
mod tick;
mod waiting;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use pintrace_bpf::ring_fill::RingFill;
use pintrace_events::units::Nanos;
use pintrace_probes::outcome::HookOutcome;
use pintrace_probes::table::Purpose;
use pintrace_source::test_pins::TestPins;
use pintrace_source::trace_source::TraceSource;
use pintrace_tracker::reconcile::Reconciler;
use pintrace_tracker::sampler::Sampler;
use pintrace_tracker::tracker::Tracker;
use tokio::io::unix::AsyncFd;

use super::stream_header::now;

/// A session in mode trace.
pub struct TraceSession {
    source: TraceSource,
    tracker: Tracker,
    emitted_losses: BTreeMap<String, u64>,
    /// Number of lost records at the last [`Tracker::resync`].
    resynced_at: u64,
    /// Finding hooks are being detached, one at each tick.
    sheds: bool,
    /// The time of the last reading of the ring buffer.
    drained_at: Nanos,
    /// Number of events that could not be written to a recording.
    unwritten: u64,
    stopping: bool,
    /// Scans memory and corrects the ledger; `None` in mode `trace` and where memory cannot be scanned.
    reconciler: Option<Reconciler>,
}

impl TraceSession {
    /// Returns the outcome of each hook.
    pub fn outcomes(&self) -> &[HookOutcome] {
        self.source.outcomes()
    }

    /// Returns the tests of the paths on which pins and releases must reach a hook.
    pub fn test_pins(&self) -> &[TestPins] {
        self.source.test_pins()
    }

    /// Returns the id and the purpose of each attached program.
    pub fn programs(&self) -> Vec<(u32, Purpose)> {
        self.source.programs()
    }

    /// Returns the fill of the ring buffer; `None` if it cannot be read.
    pub fn ring_fill(&self) -> Option<Arc<RingFill>> {
        self.source.ring_fill()
    }

    /// Returns a descriptor that is readable while the ring buffer holds records.
    pub fn poll_ring(&self) -> std::io::Result<AsyncFd<OwnedFd>> {
        self.source.poll_ring()
    }

    /// Sets the number of events that could not be written to a recording.
    pub fn count_unwritten(&mut self, total: u64) {
        self.unwritten = total;
    }

    /// Returns the time at which a reconciliation needs a sample before the next tick; `None` if no sample is due.
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
