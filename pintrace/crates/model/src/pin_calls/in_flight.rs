//! The long-term pin calls in flight, with the registrations that they continue.

use pintrace_common::pin_calls::REGISTRATION_GAP_NS;
use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{CallInFlight, Registration};

use crate::limits;
use crate::pins::Pins;
use crate::resolve::Resolver;
use crate::stack::Origin;
use crate::subsystem::Subsystem;

use super::table::PinCallTable;
use super::text;

/// A long-term pin call that had not returned at the time of the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Process of the thread.
    pub pid: Pid,
    /// Command name of the process.
    pub comm: String,
    /// The thread that makes the call.
    pub tid: Tid,
    /// Subsystem that makes the call.
    pub subsystem: Subsystem,
    /// Descriptor of the open file on which the call pins, if known.
    pub descriptor: Option<u32>,
    /// Time at which the call began.
    pub began: Nanos,
    /// Pages that the caller asks for.
    pub wanted: u64,
    /// Pages pinned so far, at most: known if this is the only call in flight, else `None`.
    pub pinned: Option<u64>,
    /// The call is migrating pages.
    pub migrates: bool,
    /// Time of the sample.
    pub sampled: Nanos,
    /// The earlier calls of the same registration.
    pub before: Option<Registration>,
}

impl InFlight {
    /// Returns the time at which the registration began: the time of the call if the call continues none.
    #[must_use]
    pub fn registration_began(&self) -> Nanos {
        self.before.map_or(self.began, |before| before.began)
    }

    /// Returns the pages that the registration has pinned so far, as far as they are known.
    #[must_use]
    pub fn registration_pinned(&self) -> u64 {
        let before = self.before.map_or(0, |before| before.pinned);
        before.saturating_add(self.pinned.unwrap_or(0))
    }

    /// Returns the pages that the calls of the registration have asked for so far.
    #[must_use]
    pub fn registration_wanted(&self) -> u64 {
        let before = self.before.map_or(0, |before| before.wanted);
        before.saturating_add(self.wanted)
    }

    /// Returns the bytes that the registration has pinned a second until the sample; `None` if the pages pinned so far are
    /// unknown.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        self.pinned?;
        text::per_second(
            self.registration_pinned(),
            self.sampled.since(self.registration_began()),
        )
    }
}

/// The calls in flight, as last sampled.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallsInFlight {
    calls: Vec<CallInFlight>,
    /// Number of all calls in flight.
    pub(crate) number: u64,
    sampled: Nanos,
}

impl CallsInFlight {
    /// Takes the calls in flight at the time of a sample.
    pub(crate) fn sample(&mut self, sampled: Nanos, sample: &pintrace_events::CallsInFlight) -> bool {
        let listed = sample.calls.iter().take(limits::CALLS_IN_FLIGHT);
        self.calls = listed.cloned().collect();
        self.sampled = sampled;
        self.number = sample.number;
        sample.calls.len() <= limits::CALLS_IN_FLIGHT
    }

    /// Returns the calls, longest first. `pinned` is the number of pages that vmstat has counted and the ledger has not.
    pub(crate) fn list(
        &self,
        pinned: u64,
        pins: &Pins,
        table: &PinCallTable,
        resolver: &mut Resolver<'_>,
    ) -> Vec<InFlight> {
        let is_only = self.number == 1 && self.calls.len() == 1;
        let mut calls: Vec<_> = self
            .calls
            .iter()
            .map(|call| InFlight {
                pinned: is_only.then_some(pinned.min(call.wanted)),
                sampled: self.sampled,
                ..in_flight(call, pins, table, resolver)
            })
            .collect();
        calls.sort_by_key(InFlight::registration_began);
        calls
    }
}

fn in_flight(
    call: &CallInFlight,
    pins: &Pins,
    table: &PinCallTable,
    resolver: &mut Resolver<'_>,
) -> InFlight {
    let account = call.account.and_then(|account| pins.accounts.get(account));
    // The stack is of this call. The account is of an earlier one.
    let of_account = account.filter(|_| call.stack.is_none());
    let origin = of_account.map_or(
        Origin {
            stack: call.stack,
            ..Origin::default()
        },
        crate::pins::AccountState::origin,
    );
    let latest = call.account.and_then(|account| table.latest(account));
    let continues = |latest: &Registration| {
        latest.calls != 0 && call.began.0 <= latest.ended.0.saturating_add(REGISTRATION_GAP_NS)
    };
    let process = pins.processes.current(call.pid);
    InFlight {
        pid: call.pid,
        comm: if call.comm.is_empty() {
            process.map(|process| pins.comm_of(process)).unwrap_or_default()
        } else {
            limits::clip(&call.comm, limits::COMM_CHARS)
        },
        tid: call.tid,
        subsystem: resolver.subsystem(origin),
        descriptor: call.descriptor,
        began: call.began,
        wanted: call.wanted,
        pinned: None,
        migrates: call.migrates,
        sampled: Nanos(0),
        before: latest.filter(continues),
    }
}
