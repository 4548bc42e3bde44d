//! The ticks and samples of a trace session.

use pintrace_common::counters::Loss;
use pintrace_events::{Body, Event};
use pintrace_source::baseline::Adjustment;

use super::TraceSession;
use crate::pipeline::start::SessionError;
use crate::pipeline::stream_header::now;

impl TraceSession {
    /// Events from the records that the ring buffer holds.
    pub fn drain(&mut self) -> Result<Vec<Event>, SessionError> {
        let now = now();
        let records = self.source.drain();
        let lost = self.source.ledger().loss(Loss::RingFull)?;
        self.tracker.reading(now, lost != self.resynced_at);
        for record in records {
            self.tracker.record(&record, self.source.ledger())?;
        }
        Ok(self.tracker.take_events())
    }

    /// [`Self::sample`], and a tick at the end.
    pub fn tick(&mut self) -> Result<Vec<Event>, SessionError> {
        let mut events = self.sample()?;
        events.push(Event {
            time: now(),
            body: Body::Tick,
        });
        Ok(events)
    }

    /// Everything that changed, the balance, and the losses. A sample between two ticks leaves the rates alone.
    pub fn sample(&mut self) -> Result<Vec<Event>, SessionError> {
        // The ring is read before the tables, so that events open an account or extent before they sample it.
        let mut events = self.drain()?;
        let (reconciler, mut sampler) = self.sampling();
        let sample = match reconciler {
            Some(reconciler) => {
                let (sample, outside_ledger) = reconciler.reconcile(&mut sampler)?;
                events.extend(outside_ledger);
                sample
            }
            None => sampler.sample(Adjustment::default())?,
        };
        // A reason that lost nothing has no entry.
        let lost_records = sample.losses.get(Loss::RingFull.name()).copied().unwrap_or(0);
        if lost_records != self.resynced_at {
            self.tracker.resync(sample.time, self.source.ledger())?;
            self.resynced_at = lost_records;
        }
        self.tracker
            .close_accounts(sample.time, self.source.ledger_mut())?;
        events.extend(self.tracker.take_events());
        let mut push = |body| {
            events.push(Event {
                time: sample.time,
                body,
            });
        };
        push(Body::BalanceSampled(sample.balance));
        if sample.losses != self.emitted_losses {
            self.emitted_losses.clone_from(&sample.losses);
            push(Body::LossSampled(sample.losses));
        }
        Ok(events)
    }
}
