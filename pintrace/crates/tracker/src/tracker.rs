//! Turns the records and tables of the kernel-side ledger into events: each account and extent opened once, sampled when it
//! changed, closed once, also when the record of its opening was lost.

use std::path::PathBuf;

use pintrace_common::ledger::Extent;

use pintrace_events::units::Nanos;
use pintrace_events::{AddressSpaceId, Body, Event, MmId};
use pintrace_source::decode::Record;
use pintrace_source::ledger::{Ledger, LedgerError};
use pintrace_source::trace_source::TraceSource;

use super::accounts::Accounts;
use super::emitter::Emitter;
use super::exit;
use super::extents::Extents;
use super::mm_events::MmEvents;
use super::names::Names;

/// Accounts, extents and mm events as last emitted.
pub struct Tracker {
    accounts: Accounts,
    extents: Extents,
    mm_events: MmEvents,
    /// Records were lost, and the tables have not been read whole since.
    after_loss: bool,
    out: Emitter,
}

impl Tracker {
    /// Reads the names of processes from `proc`.
    pub fn new(proc: PathBuf, names: Names) -> Self {
        Self {
            accounts: Accounts::new(proc.clone()),
            extents: Extents::default(),
            mm_events: MmEvents::new(proc),
            after_loss: false,
            out: Emitter::new(names),
        }
    }

    /// The subsystem that a process's descriptors point at, for a process with pins that no hook saw.
    pub fn set_likely_subsystem(&mut self, pid: u32, subsystem: String) {
        self.accounts.set_likely_subsystem(pid, subsystem);
    }

    /// Pages that the accounts of this caller held when last emitted: see [`pintrace_common::reconcile::caller`].
    pub fn held_by(&self, caller: u64) -> u64 {
        self.accounts.held_by(caller)
    }

    /// Accounts and extents whose stack the kernel did not take.
    pub fn stackless(&self) -> u64 {
        self.accounts.stackless() + self.extents.stackless()
    }

    /// Processes that ended before their name could be read.
    pub fn unread(&self) -> u64 {
        self.accounts.unread()
    }

    /// Takes the events emitted since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.out.take()
    }

    /// The ring is read now. `after_loss`: records were lost, and the tables have not been read whole since.
    pub fn reading(&mut self, now: Nanos, after_loss: bool) {
        self.extents.reading(now);
        self.after_loss = after_loss;
    }

    /// Emits one record.
    pub fn record(&mut self, record: &Record, ledger: &Ledger) -> Result<(), LedgerError> {
        let Self {
            accounts,
            extents,
            mm_events,
            after_loss,
            out,
        } = self;
        match record {
            Record::AccountOpened(opened) => {
                let mut account = opened.account;
                let now = ledger.account(opened.header.id)?;
                if now.opened_ns == account.opened_ns {
                    account.stack = now.stack;
                    // One for pins that no hook saw was opened by us, and gets its name afterwards.
                    account.comm = now.comm;
                }
                accounts.open(opened.header.id, &account, ledger, out);
            }
            Record::ExtentOpened(opened) => {
                let mut extent = opened.extent;
                let now = ledger.extent(opened.header.id)?;
                if now.opened_ns == extent.opened_ns {
                    extent.stack = now.stack;
                }
                let time = Nanos(opened.header.time_ns);
                extents.open(time, opened.header.id, &extent, ledger, accounts, out)?;
            }
            Record::ExtentClosed(closed) => extents.close(closed, out),
            Record::ExtentPartiallyReleased(shrinks) => {
                let marks = if shrinks.ambiguous_owner == 0 {
                    Extent::PARTIALLY_RELEASED
                } else {
                    Extent::INEXACT_MARKS
                };
                extents.partially_released(Nanos(shrinks.header.time_ns), shrinks.header.id, marks, out);
            }
            Record::ProcessExited(exited) => {
                accounts.process_exited(exited.header.id, exited.header.time_ns);
                let body = Body::ProcessExited(exit::unpack(exited));
                out.push(Nanos(exited.header.time_ns), body);
            }
            Record::MappingChanged(touched) => {
                extents.mapping_changed(touched, ledger, out)?;
                mm_events.mapping_changed(touched, *after_loss, ledger, out);
            }
            Record::MmOrAddressSpaceGone(ended) => {
                let body = match ended.header.id {
                    0 => Body::MmExited(MmId(ended.within)),
                    _ => Body::AddressSpaceFreed(AddressSpaceId(ended.within)),
                };
                out.push(Nanos(ended.header.time_ns), body);
            }
        }
        Ok(())
    }

    /// Emits every account and extent that changed since it was last emitted. With `last`, no late stack is waited for.
    pub fn sample(&mut self, now: Nanos, last: bool, ledger: &Ledger) -> Result<(), LedgerError> {
        self.accounts.sample(now, last, ledger, &mut self.out)?;
        self.extents.sample(now, last, ledger, &mut self.out)
    }

    /// Emits copies on write and flush windows that have become more. Accounts and extents are sampled before.
    pub fn sample_mm_events(&mut self, now: Nanos, source: &mut TraceSource) -> Result<(), LedgerError> {
        self.mm_events
            .sample(now, source, &mut self.accounts, &mut self.out)
    }

    /// Emits extents whose opening record was lost. Reads the whole table: only after a loss.
    pub fn resync(&mut self, now: Nanos, ledger: &Ledger) -> Result<(), LedgerError> {
        self.extents
            .resync(now, ledger, &mut self.accounts, &mut self.out)
    }

    /// Gives back the accounts of exited processes that hold nothing.
    pub fn close_accounts(&mut self, now: Nanos, ledger: &mut Ledger) -> Result<(), LedgerError> {
        self.accounts.close(now, ledger, &mut self.out)
    }

    /// Whether an exited process held pins when last sampled.
    pub fn ended_hold(&self) -> bool {
        self.accounts.ended_hold()
    }
}
