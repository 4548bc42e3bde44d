//! Turns the records and maps of the ledger into events: emits the opening of each account and extent once, each
//! change, and the end once, also if the record of the opening was lost.

use std::path::PathBuf;

use pintrace_common::ledger::{Extent, STACK_LATER};

use pintrace_events::units::Nanos;
use pintrace_events::{AddressSpaceId, Body, Event, FileId, MmId};
use pintrace_source::decode::Record;
use pintrace_source::ledger::{Ledger, LedgerError};
use pintrace_source::trace_source::TraceSource;

use super::accounts::Accounts;
use super::emitter::Emitter;
use super::exit;
use super::extents::Extents;
use super::mm_events::MmEvents;
use super::names::Names;
use super::pin_calls::PinCallEvents;
use super::preexisting_file::PreexistingFile;
use super::registrations::Registrations;

/// Accounts, extents and mm events as last emitted.
pub struct Tracker {
    accounts: Accounts,
    extents: Extents,
    pin_calls: PinCallEvents,
    registrations: Registrations,
    mm_events: MmEvents,
    /// Records were lost, and no [`Tracker::resync`] has followed.
    after_loss: bool,
    out: Emitter,
}

impl Tracker {
    /// Starts without accounts and extents. `proc` is the folder of /proc, from which names of processes are read.
    pub fn new(proc: PathBuf, names: Names) -> Self {
        Self {
            accounts: Accounts::new(proc.clone()),
            extents: Extents::default(),
            pin_calls: PinCallEvents::default(),
            registrations: Registrations::new(proc.clone()),
            mm_events: MmEvents::new(proc),
            after_loss: false,
            out: Emitter::new(names),
        }
    }

    /// Returns the pages that the accounts of one origin held when last emitted: see
    /// [`pintrace_common::reconcile::caller`].
    pub fn held_by(&self, origin: u64) -> u64 {
        self.accounts.held_by(origin)
    }

    /// Says which open file of a process the number in the key of an account of preexisting pins stands for.
    pub(super) fn name_file(&mut self, pid: u32, number: u32, file: PreexistingFile) {
        self.accounts.name_file(pid, number, file);
    }

    /// Returns the number of accounts and extents whose stack the kernel did not take.
    pub fn stackless(&self) -> u64 {
        self.accounts.stackless() + self.extents.stackless()
    }

    /// Returns the number of processes that ended before their name could be read.
    pub fn unread(&self) -> u64 {
        self.accounts.unread()
    }

    /// Appends the events emitted since the last call to `events`.
    pub fn take_events(&mut self, events: &mut Vec<Event>) {
        self.out.take(events);
    }

    /// The caller reads the ring buffer at `now`. `after_loss` is true if records were lost and no [`Tracker::resync`]
    /// has followed.
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
            ..
        } = self;
        match record {
            Record::AccountOpened(opened)
                if accounts.was_freed(opened.header.id, opened.account.opened_ns) => {}
            Record::AccountOpened(opened) => {
                let mut account = opened.account;
                let now = ledger.account(opened.header.id)?;
                if now.opened_ns == account.opened_ns {
                    account.stack = now.stack;
                    // The program `open_account` writes the command name after it has emitted the record.
                    account.comm = now.comm;
                }
                accounts.open(opened.header.id, &account, ledger, out);
            }
            Record::ExtentOpened(opened) => {
                let mut extent = opened.extent;
                // Only a stack that was to come later can have changed, so most records need no look-up in the map.
                if extent.stack == STACK_LATER {
                    let now = ledger.extent(opened.header.id)?;
                    if now.opened_ns == extent.opened_ns {
                        extent.stack = now.stack;
                    }
                }
                let time = Nanos(opened.header.time_ns);
                extents.open(time, opened.header.id, &extent, ledger, accounts, out)?;
            }
            Record::ExtentClosed(closed) => extents.close(closed, out),
            Record::ExtentMarked(marked) => {
                let marks =
                    u32::try_from(marked.marks).unwrap_or(Extent::INEXACT_MARKS) & Extent::INEXACT_MARKS;
                extents.mark(Nanos(marked.header.time_ns), marked.header.id, marks, out);
            }
            Record::ProcessExited(exited) => {
                if accounts.process_exited(exited.header.id, exited.header.time_ns) {
                    let body = Body::ProcessExited(exit::unpack(exited));
                    out.push(Nanos(exited.header.time_ns), body);
                }
            }
            Record::ProcessExeced(execed) => {
                let time = Nanos(execed.header.time_ns);
                accounts.process_execed(time, execed.header.id, out);
            }
            Record::FileReleased(released) => {
                let time = Nanos(released.header.time_ns);
                out.push(time, Body::FileReleased(FileId(released.file)));
            }
            Record::MappingChanged(change) => {
                extents.mapping_changed(change, ledger, out)?;
                mm_events.mapping_changed(change, *after_loss, ledger, out);
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

    /// Emits each account and extent that changed since the last sample. With `last`, no late stack is waited for.
    pub fn sample(&mut self, now: Nanos, last: bool, ledger: &Ledger) -> Result<(), LedgerError> {
        self.accounts.sample(now, last, ledger, &mut self.out)?;
        self.pin_calls
            .sample(now, ledger, &mut self.accounts, &mut self.out)?;
        self.registrations.sample(now, ledger, &mut self.out)?;
        self.extents.sample(now, last, ledger, &mut self.out)
    }

    /// Emits copies on write and flush windows that changed since the last sample. The caller samples accounts and
    /// extents before.
    pub fn sample_mm_events(&mut self, now: Nanos, source: &mut TraceSource) -> Result<(), LedgerError> {
        self.mm_events
            .sample(now, source, &mut self.accounts, &mut self.out)
    }

    /// Emits extents whose opening or closing record was lost. Reads the whole extent table, so call this only after a
    /// loss. [`Tracker::end_lost`] emits the ends of processes whose exit record was lost.
    pub fn resync(&mut self, now: Nanos, ledger: &Ledger) -> Result<(), LedgerError> {
        self.accounts.check_ends();
        self.extents
            .resync(now, ledger, &mut self.accounts, &mut self.out)
    }

    /// Emits the ends of processes that ended without an exit record. The caller has read the ring buffer since the last
    /// call.
    pub fn end_lost(&mut self, now: Nanos) {
        self.accounts.end_lost(now, &mut self.out);
    }

    /// Frees the accounts of exited processes that hold no pages, and emits the end of these accounts.
    pub fn close_accounts(&mut self, now: Nanos, ledger: &mut Ledger) -> Result<(), LedgerError> {
        self.accounts.close(now, ledger, &mut self.out)?;
        self.registrations.close(ledger)
    }

    /// Returns true if an exited process held pins at the last sample.
    pub fn ended_hold(&self) -> bool {
        self.accounts.ended_hold()
    }
}
