//! Pinned pages that were copied, as samples of how often.

use pintrace_events::{CopiesSampled, Reference};

use super::evidence::{Holder, PinState, TouchState};
use super::finding::FindingKind;
use super::findings::{Found, Key, Subject};
use super::fold::Model;
use super::limits;
use super::verdict;

impl Model {
    /// Takes a sample in place of the earlier one of the same id.
    pub(super) fn copied(&mut self, copies: &CopiesSampled) {
        if let Some(reference) = copies.reference {
            return self.reference_copied(copies, reference);
        }
        let kept = self.keeps_exclusive_pages() && copies.anonymous;
        let found = self.of_copies(copies, FindingKind::CowAfterPin);
        let found = Found {
            verdict: verdict::of_copy(kept, copies.unshare),
            pages: copies.pages,
            count: copies.copies,
            ..found
        };
        self.findings.put(key(copies, FindingKind::CowAfterPin), found);
        if copies.in_window > 0 {
            let found = self.of_copies(copies, FindingKind::CowInFlushWindow);
            let found = Found {
                verdict: &verdict::COPY_IN_WINDOW,
                pages: copies.pages.min(copies.in_window),
                count: copies.in_window,
                ..found
            };
            self.findings
                .put(key(copies, FindingKind::CowInFlushWindow), found);
        }
    }

    /// The same of pages that are not pinned.
    fn reference_copied(&mut self, copies: &CopiesSampled, reference: Reference) {
        let taker = self.processes.current(reference.pid);
        let seen = taker.and_then(|key| self.processes.by_key.get(&key)?.seen.as_ref());
        let comm = match seen {
            Some(seen) => &seen.comm,
            None if copies.pid == reference.pid => &copies.comm,
            None => "",
        };
        let found = Found {
            verdict: &verdict::GET_NOT_PIN,
            holder: Holder {
                pid: reference.pid,
                comm: limits::clip(comm, limits::COMM_CHARS),
            },
            address: copies.address,
            end: copies.end,
            pages: copies.pages,
            count: copies.copies,
            first: copies.first,
            last: copies.last,
            pin: Some(PinState::of_reference(reference, copies.first)),
            touch: Some(TouchState::of_copies(copies)),
        };
        self.findings.put(key(copies, FindingKind::GetNotPin), found);
    }

    /// What both kinds have in common. What was known of the pin stays known when the account is gone.
    fn of_copies(&self, copies: &CopiesSampled, kind: FindingKind) -> Found {
        let before = self.findings.get(&key(copies, kind));
        let account = self.accounts.get(copies.account);
        let holder = match (before, account) {
            (Some(before), _) => before.holder.clone(),
            (None, Some(_)) => self.holder(account),
            (None, None) => Holder {
                pid: copies.pid,
                comm: limits::clip(&copies.comm, limits::COMM_CHARS),
            },
        };
        let extent = copies
            .extent
            .and_then(|(address, since)| self.extents.find(copies.account, address, since));
        let age = copies.extent.map_or_else(
            || account.map_or(copies.first, |account| account.totals.held_since),
            |(_, since)| since,
        );
        let pin = || match (extent, account) {
            (Some(extent), _) => Some(PinState::of_extent(&extent, account, copies.first)),
            (None, Some(account)) => Some(PinState::of_account(account, copies.first.since(age))),
            (None, None) => None,
        };
        Found {
            verdict: &verdict::COPY_IN_WINDOW,
            holder,
            address: copies.address,
            end: copies.end,
            pages: 0,
            count: 0,
            first: copies.first,
            last: copies.last,
            pin: before.and_then(|before| before.pin.clone()).or_else(pin),
            touch: Some(TouchState::of_copies(copies)),
        }
    }
}

/// The holder's process may be known by one sample and not by another: the id is enough.
fn key(copies: &CopiesSampled, kind: FindingKind) -> Key {
    Key {
        kind,
        touch: None,
        pid: pintrace_events::units::Pid(0),
        subject: Subject::Copies(copies.id),
        certain: true,
    }
}
