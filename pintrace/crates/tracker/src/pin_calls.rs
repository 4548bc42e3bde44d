//! Emits what the pin calls of each account took and failed with, and the long-term calls in flight.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use pintrace_common::pin_calls::{self, LongtermCall, NO_DESCRIPTOR, PinCalls, phase};

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{Body, CallInFlight, CallsInFlight, FileId, PinCallsSampled, Registration};
use pintrace_source::ledger::{Ledger, LedgerError};

use super::accounts::Accounts;
use super::emitter::Emitter;

/// Most calls in flight in one event: the longest ones. An event has to fit into a frame of a recording.
const MOST_IN_FLIGHT: usize = 1024;

/// Pin calls as last emitted.
#[derive(Default)]
pub(super) struct PinCallEvents {
    /// What was emitted of each account.
    emitted: HashMap<AccountId, PinCallsSampled>,
    /// Accounts whose calls had changed at the last sample. The programs count a call in its account before they count its
    /// duration, so these accounts are read once more.
    again: Vec<u32>,
    /// The last list of calls in flight was not empty.
    in_flight: bool,
}

impl PinCallEvents {
    /// Emits the changes since the last sample. The caller samples the accounts before.
    pub(super) fn sample(
        &mut self,
        now: Nanos,
        ledger: &Ledger,
        accounts: &mut Accounts,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let called = accounts.take_called();
        let again = std::mem::replace(&mut self.again, called.clone());
        if !called.is_empty() || !again.is_empty() {
            let failures = ledger.pin_calls().failures()?;
            for id in called.into_iter().chain(again) {
                let Some(account) = accounts.emitted(id) else {
                    continue;
                };
                let calls = ledger.pin_calls().of_account(id)?;
                let failures = failures.get(&id).cloned().unwrap_or_default();
                if let Some(sampled) = self.sampled(account, &calls, failures) {
                    out.push(now, Body::PinCallsSampled(Box::new(sampled)));
                }
            }
            if self.emitted.len() > accounts.open_accounts() {
                let open = accounts.open_ids();
                self.emitted.retain(|account, _| open.contains(account));
            }
        }
        self.sample_in_flight(now, ledger, accounts, out)
    }

    /// Returns the sample of an account; `None` if nothing has changed since the last one.
    fn sampled(
        &mut self,
        account: AccountId,
        calls: &PinCalls,
        failures: BTreeMap<u32, u64>,
    ) -> Option<PinCallsSampled> {
        let used = calls.durations.iter().rposition(|count| *count != 0);
        let sampled = PinCallsSampled {
            account,
            durations: calls.durations[..used.map_or(0, |last| last + 1)].to_vec(),
            total: Nanos(calls.total_ns),
            longest: Nanos(calls.longest_ns),
            untimed: calls.untimed,
            wanted: calls.wanted,
            pinned: calls.pinned,
            dropped: calls.dropped,
            moved: calls.moved,
            retried: calls.retried,
            registrations: calls.registrations,
            latest: registration(&calls.latest),
            previous: None,
            failures,
        };
        let before = self.emitted.insert(account, sampled.clone()).unwrap_or_default();
        if before == sampled {
            return None;
        }
        let previous = registration(&calls.previous);
        // The registration before the latest has no sample, or had further calls after its last sample.
        let is_new = sampled.registrations > before.registrations
            && sampled.registrations > 1
            && previous != before.latest;
        Some(PinCallsSampled {
            previous: is_new.then_some(previous),
            ..sampled
        })
    }

    fn sample_in_flight(
        &mut self,
        now: Nanos,
        ledger: &Ledger,
        accounts: &mut Accounts,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let mut calls: Vec<_> = ledger.pin_calls().in_flight()?.into_iter().collect();
        if calls.is_empty() && !self.in_flight {
            return Ok(());
        }
        self.in_flight = !calls.is_empty();
        calls.sort_by_key(|(task, call)| (call.began_ns, Reverse(call.wanted), *task));
        let number = calls.len() as u64;
        calls.truncate(MOST_IN_FLIGHT);
        let calls = calls.into_iter().map(|(task, call)| {
            let stack = out.stack(now, call.stack, ledger);
            let account = accounts.of_thread(call.account, task);
            let call = in_flight(task, &call);
            CallInFlight {
                account,
                stack,
                comm: accounts.comm_of(call.pid.0),
                ..call
            }
        });
        let calls = calls.collect();
        out.push(now, Body::CallsInFlight(CallsInFlight { calls, number }));
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the halves are the ids of process and thread"
)]
fn in_flight(task: u64, call: &LongtermCall) -> CallInFlight {
    let descriptor = Some(call.descriptor).filter(|descriptor| *descriptor != NO_DESCRIPTOR);
    CallInFlight {
        pid: Pid((task >> 32) as u32),
        tid: Tid(task as u32),
        began: Nanos(call.began_ns),
        wanted: call.wanted,
        dropped: call.dropped,
        migrates: call.phase == phase::MIGRATES,
        comm: String::new(),
        account: None,
        stack: None,
        file: FileId(call.file),
        descriptor: descriptor.and_then(|descriptor| u32::try_from(descriptor).ok()),
        cgroup: call.cgroup,
    }
}

fn registration(calls: &pin_calls::Registration) -> Registration {
    Registration {
        began: Nanos(calls.began_ns),
        ended: Nanos(calls.ended_ns),
        calls: calls.calls,
        wanted: calls.wanted,
        pinned: calls.pinned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(registrations: u64, latest: u64, previous: u64) -> PinCalls {
        let registration = |began_ns| pin_calls::Registration {
            began_ns,
            ended_ns: began_ns + 1,
            calls: 1,
            wanted: 8,
            pinned: 8,
        };
        let mut durations = [0; pin_calls::BUCKETS];
        durations[2] = registrations;
        PinCalls {
            durations,
            registrations,
            latest: registration(latest),
            previous: registration(previous),
            ..PinCalls::default()
        }
    }

    #[test]
    fn a_registration_that_ended_between_two_samples_is_emitted_with_the_next() {
        let mut events = PinCallEvents::default();
        let mut sampled = |calls: &PinCalls| events.sampled(AccountId(1), calls, BTreeMap::new());
        let first = sampled(&calls(1, 10, 0)).unwrap();
        assert_eq!(
            (first.durations.as_slice(), first.previous),
            (&[0, 0, 1][..], None)
        );
        // The registration that was sampled is the one before.
        assert_eq!(sampled(&calls(2, 20, 10)).unwrap().previous, None);
        // Two registrations have ended since.
        let unseen = sampled(&calls(4, 40, 30)).unwrap().previous;
        assert_eq!(unseen.map(|registration| registration.began), Some(Nanos(30)));
    }

    #[test]
    fn a_sample_without_a_change_is_not_emitted() {
        let mut events = PinCallEvents::default();
        let mut sampled =
            |calls: &PinCalls, failures| events.sampled(AccountId(1), calls, failures).is_some();
        assert!(sampled(&calls(1, 10, 0), BTreeMap::new()));
        assert!(!sampled(&calls(1, 10, 0), BTreeMap::new()));
        assert!(sampled(&calls(1, 10, 0), BTreeMap::from([(12, 1)])));
    }
}
