//! Short-term pins that are held for long: how many pages at least, though no page is followed.
//!
//! What an account had pinned by some moment, less what it has released by now, is still there and at least as old as
//! that moment, whichever pages it released. Both are totals that only grow, so that is a bound and no guess.

use std::collections::VecDeque;

use pintrace_events::units::Nanos;

use super::account::AccountState;
use super::assessment;
use super::evidence::PinState;
use super::finding::FindingKind;
use super::findings::{FindingKey, FindingState, FindingSubject};
use super::fold::Model;

/// Direct I/O that takes longer hangs; and a pin that is meant to stay asks for `FOLL_LONGTERM`.
const HELD_TOO_LONG: Nanos = Nanos(10_000_000_000);
/// Moments remembered of an account.
const MOMENTS: usize = 16;
/// Between two of them, so that they reach back far enough; less than the second between two samples.
const STEP: Nanos = Nanos(HELD_TOO_LONG.0 / 12);

/// What an account had pinned by when.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Oldest first; the last one is the latest sample.
    moments: VecDeque<(Nanos, u64)>,
}

impl History {
    /// Notes the pages pinned so far.
    pub(super) fn note(&mut self, time: Nanos, acquired: u64) {
        let last_but_one = self
            .moments
            .len()
            .checked_sub(2)
            .and_then(|at| self.moments.get(at));
        let dense = last_but_one.is_some_and(|(before, _)| {
            self.moments
                .back()
                .is_some_and(|(last, _)| last.since(*before) < STEP)
        });
        if dense {
            self.moments.pop_back();
        }
        if self.moments.len() >= MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back((time, acquired));
    }

    /// Pages of which none is younger than the threshold, and an age that one has at least.
    fn overdue(&self, now: Nanos, released: u64) -> Option<(u64, Nanos)> {
        let until = Nanos(now.0.checked_sub(HELD_TOO_LONG.0)?);
        let (_, acquired) = self.moments.iter().rev().find(|(time, _)| *time <= until)?;
        let pages = acquired.checked_sub(released).filter(|pages| *pages > 0)?;
        let oldest = self.moments.iter().find(|(_, acquired)| *acquired > released);
        Some((pages, now.since(oldest.map_or(until, |(time, _)| *time))))
    }
}

impl Model {
    /// Finds the accounts that hold short-term pins for too long.
    pub(super) fn find_missing_longterm(&mut self) {
        for account in self.accounts.short_term() {
            let Some((pages, age)) = account.history.overdue(self.time, account.totals.released) else {
                continue;
            };
            let holder = self.holder(Some(account));
            let key = key(account);
            let before = self.findings.get(&key);
            let found = FindingState {
                assessment: &assessment::MISSING_LONGTERM,
                holder,
                address: 0,
                end: 0,
                pages,
                count: 1,
                first: before.map_or(self.time, |before| before.first),
                last: self.time,
                pin: Some(PinState::of_account(account, age)),
                trigger: None,
            };
            self.findings.put(key, found);
        }
    }
}

fn key(account: &AccountState) -> FindingKey {
    FindingKey {
        kind: FindingKind::UndeclaredLongterm,
        trigger: None,
        pid: account.opened.pid,
        subject: FindingSubject::Account(account.opened.account),
        certain: true,
    }
}
