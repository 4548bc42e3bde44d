//! The ticks and samples of a trace session.

use pintrace_common::counters::Loss;
use pintrace_events::{Body, Event};
use pintrace_source::baseline::Adjustment;

use super::{TraceSession, waiting};
use crate::pipeline::start::SessionError;
use crate::pipeline::stream_header::now;

impl TraceSession {
    /// Appends the events of the records in the ring buffer to `events`.
    pub fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), SessionError> {
        let drained_at = now();
        let records = self.source.drain();
        // Before the records become events, which takes time.
        let due = self.source.attach_due()?;
        let attached_at = now();
        let lost = self.source.ledger().losses()?[Loss::RingFull as usize];
        self.tracker.reading(drained_at, lost != self.resynced_at);
        for record in records {
            self.tracker.record(&record, self.source.ledger())?;
        }
        let new = events.len();
        self.tracker.take_events(events);
        if let Some(due) = due {
            let new = events.get(new..).unwrap_or_default();
            let attached = waiting::attached(&due, new, self.drained_at, self.source.outcomes());
            events.push(Event {
                time: attached_at,
                body: Body::FindingHooksAttached(attached),
            });
        }
        self.drained_at = drained_at;
        Ok(())
    }

    /// Returns the events of [`Self::sample`], with a tick at the end.
    pub fn tick(&mut self) -> Result<Vec<Event>, SessionError> {
        let mut events = self.sample()?;
        if self.sheds {
            self.sheds = self.source.shed_one();
        }
        events.push(Event {
            time: now(),
            body: Body::Tick,
        });
        Ok(events)
    }

    /// Detaches the finding hooks that the kernel calls often, one at each tick from now on: a detachment takes the kernel
    /// up to 0.1 s, and meanwhile nobody reads the ring buffer.
    pub fn shed_findings(&mut self) {
        self.sheds = true;
    }

    /// Returns the changes since the last sample, the balance and the losses. A sample without a tick changes no rate.
    pub fn sample(&mut self) -> Result<Vec<Event>, SessionError> {
        // The ring buffer is read before the maps, so that the opening of an account or extent precedes its samples.
        let mut events = Vec::new();
        self.drain(&mut events)?;
        self.source.forget_ended_calls()?;
        let (reconciler, mut sampler) = self.sampling();
        let sample = if let Some(reconciler) = reconciler {
            let (sample, outside_ledger) = reconciler.reconcile(&mut sampler)?;
            events.extend(outside_ledger);
            sample
        } else {
            let mut sample = sampler.sample(Adjustment::default())?;
            if sample.balance.vmstat_acquired.is_some() {
                let preexisting = sample.balance.preexisting_held;
                sample.balance.separate_lost_pins(preexisting);
            }
            sample
        };
        // A loss of 0 has no entry.
        let lost_records = sample.losses.get(Loss::RingFull.name()).copied().unwrap_or(0);
        if lost_records != self.resynced_at {
            self.tracker.resync(sample.time, self.source.ledger())?;
            self.resynced_at = lost_records;
        }
        self.tracker.end_lost(sample.time);
        self.tracker
            .close_accounts(sample.time, self.source.ledger_mut())?;
        self.tracker.take_events(&mut events);
        let mut push = |body| {
            events.push(Event {
                time: sample.time,
                body,
            });
        };
        push(Body::BalanceSampled(Box::new(sample.balance)));
        if sample.losses != self.emitted_losses {
            self.emitted_losses.clone_from(&sample.losses);
            push(Body::LossSampled(sample.losses));
        }
        Ok(events)
    }
}
