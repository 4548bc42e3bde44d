//! Pinned pages that were copied, as samples of how often.

use pintrace_events::{CowSampled, FollGetReference};

use super::assessment;
use super::evidence::{PinHolder, PinState, TriggerState};
use super::finding::FindingKind;
use super::findings::{FindingKey, FindingState, FindingSubject};
use super::fold::Model;
use super::limits;

impl Model {
    /// Takes a sample in place of the earlier one of the same id.
    pub(super) fn cow_sampled(&mut self, cow: &CowSampled) {
        if let Some(reference) = cow.reference {
            return self.cow_of_reference(cow, reference);
        }
        let kept = self.keeps_exclusive_pages() && cow.anonymous;
        let found = self.of_cow(cow, FindingKind::CowAfterPin);
        let found = FindingState {
            assessment: assessment::of_copy(kept, cow.unshare),
            pages: cow.pages,
            count: cow.copies,
            ..found
        };
        self.findings.put(key(cow, FindingKind::CowAfterPin), found);
        if cow.in_window > 0 {
            let found = self.of_cow(cow, FindingKind::CowInFlushWindow);
            let found = FindingState {
                assessment: &assessment::COPY_IN_WINDOW,
                pages: cow.pages.min(cow.in_window),
                count: cow.in_window,
                ..found
            };
            self.findings.put(key(cow, FindingKind::CowInFlushWindow), found);
        }
    }

    /// The same of pages that are not pinned.
    fn cow_of_reference(&mut self, cow: &CowSampled, reference: FollGetReference) {
        let taker = self.processes.current(reference.pid);
        let seen = taker.and_then(|key| self.processes.by_key.get(&key)?.seen.as_ref());
        let comm = match seen {
            Some(seen) => &seen.comm,
            None if cow.pid == reference.pid => &cow.comm,
            None => "",
        };
        let found = FindingState {
            assessment: &assessment::GET_NOT_PIN,
            holder: PinHolder {
                pid: reference.pid,
                comm: limits::clip(comm, limits::COMM_CHARS),
            },
            address: cow.address,
            end: cow.end,
            pages: cow.pages,
            count: cow.copies,
            first: cow.first,
            last: cow.last,
            pin: Some(PinState::of_reference(reference, cow.first)),
            trigger: Some(TriggerState::of_cow(cow)),
        };
        self.findings.put(key(cow, FindingKind::GetNotPin), found);
    }

    /// What both kinds have in common. What was known of the pin stays known when the account is gone.
    fn of_cow(&self, cow: &CowSampled, kind: FindingKind) -> FindingState {
        let before = self.findings.get(&key(cow, kind));
        let account = self.accounts.get(cow.account);
        let holder = match (before, account) {
            (Some(before), _) => before.holder.clone(),
            (None, Some(_)) => self.holder(account),
            (None, None) => PinHolder {
                pid: cow.pid,
                comm: limits::clip(&cow.comm, limits::COMM_CHARS),
            },
        };
        let extent = cow
            .extent
            .and_then(|(address, since)| self.extents.find(cow.account, address, since));
        let age = cow.extent.map_or_else(
            || account.map_or(cow.first, |account| account.totals.held_since),
            |(_, since)| since,
        );
        let pin = || match (extent, account) {
            (Some(extent), _) => Some(PinState::of_extent(&extent, account, cow.first)),
            (None, Some(account)) => Some(PinState::of_account(account, cow.first.since(age))),
            (None, None) => None,
        };
        FindingState {
            assessment: &assessment::COPY_IN_WINDOW,
            holder,
            address: cow.address,
            end: cow.end,
            pages: 0,
            count: 0,
            first: cow.first,
            last: cow.last,
            pin: before.and_then(|before| before.pin.clone()).or_else(pin),
            trigger: Some(TriggerState::of_cow(cow)),
        }
    }
}

/// The holder's process may be known by one sample and not by another: the id is enough.
fn key(cow: &CowSampled, kind: FindingKind) -> FindingKey {
    FindingKey {
        kind,
        trigger: None,
        pid: pintrace_events::units::Pid(0),
        subject: FindingSubject::Cow(cow.id),
        certain: true,
    }
}
