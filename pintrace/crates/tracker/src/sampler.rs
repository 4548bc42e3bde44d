//! Samples of the running trace: the balance, the changed accounts and extents, and the losses at one moment.

use std::collections::BTreeMap;

use pintrace_common::counters::Loss;
use pintrace_common::reconcile::caller;
use pintrace_events::BalanceSampled;
use pintrace_events::units::Nanos;
use pintrace_source::baseline::Adjustment;
use pintrace_source::ledger::LedgerError;
use pintrace_source::trace_source::TraceSource;

use crate::tracker::Tracker;

/// One sample of the running trace.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Time at which the accounts were read.
    pub time: Nanos,
    /// The vmstat counters and the ledger.
    pub balance: BalanceSampled,
    /// Losses since the start, by name, without zeros.
    pub losses: BTreeMap<String, u64>,
    /// Pages of preexisting pins that accounts still hold.
    pub preexisting_in_accounts: u64,
}

/// Takes samples of the running trace.
pub struct Sampler<'a> {
    /// The BPF maps of the trace.
    pub source: &'a mut TraceSource,
    /// Turns the maps into events.
    pub tracker: &'a mut Tracker,
    /// Number of events that could not be written to the recording.
    pub unwritten: u64,
    /// The sample is the last, so no late stack is waited for.
    pub last: bool,
    /// The clock of the events.
    pub clock: fn() -> Nanos,
}

impl Sampler<'_> {
    /// Samples the balance, then the accounts, extents, mm events and losses. The tracker collects the events.
    pub fn sample(&mut self, adjustment: Adjustment) -> Result<Sample, LedgerError> {
        let balance = self.source.balance(adjustment)?;
        let time = (self.clock)();
        self.tracker.sample(time, self.last, self.source.ledger())?;
        self.tracker.sample_mm_events(time, self.source)?;
        Ok(Sample {
            time,
            balance,
            losses: self.losses()?,
            preexisting_in_accounts: self.tracker.held_by(caller::PREEXISTING),
        })
    }

    /// Samples balance and accounts once more for the same moment, after a reconciliation has changed the ledger.
    pub fn sample_again(&mut self, sample: &mut Sample, adjustment: Adjustment) -> Result<(), LedgerError> {
        sample.balance = self.source.balance(adjustment)?;
        self.tracker
            .sample(sample.time, self.last, self.source.ledger())?;
        sample.preexisting_in_accounts = self.tracker.held_by(caller::PREEXISTING);
        Ok(())
    }

    fn losses(&mut self) -> Result<BTreeMap<String, u64>, LedgerError> {
        let counted = self.source.losses()?;
        let own = |loss: Loss, count: u64| match loss {
            Loss::NameUnread => self.tracker.unread(),
            Loss::StackLost => count + self.tracker.stackless(),
            Loss::EventUnwritten => self.unwritten,
            _ => count,
        };
        Ok(counted
            .into_iter()
            .map(|(loss, count)| (loss.name().to_owned(), own(loss, count)))
            .filter(|(_, count)| *count != 0)
            .collect())
    }
}
