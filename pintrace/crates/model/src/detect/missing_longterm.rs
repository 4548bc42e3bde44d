//! Short-term pins that are held too long. [`AcquiredHistory`](crate::pins) gives a lower bound of the pages, without a
//! record of each page.

use crate::assessment;
use crate::evidence::PinState;
use crate::finding::FindingKind;
use crate::finding_table::{FindingKey, FindingState, FindingSubject, FindingTable};
use crate::pins::AccountState;

use super::{Context, Detector, Observation};

/// Finds the accounts that hold short-term pins for too long. While the ledger is uncertain, such a finding is uncertain too.
pub(super) struct MissingLongtermDetector;

impl Detector for MissingLongtermDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        if !matches!(observation, Observation::Tick(_)) {
            return;
        }
        for account in context.pins.accounts.short_term() {
            // A release that a rule counted for another owner may have been this account's.
            let released = account
                .totals
                .released
                .saturating_add(account.totals.unclear_releases);
            let Some((pages, age)) = account.history.held_too_long(context.now, released) else {
                continue;
            };
            let key = key(account, !context.ledger_uncertain);
            let earlier = findings.get(&key);
            let finding = FindingState {
                assessment: if key.certain {
                    &assessment::MISSING_LONGTERM
                } else {
                    &assessment::MAY_LACK_LONGTERM
                },
                holder: context.pins.holder(Some(account)),
                address: 0,
                end: 0,
                pages,
                count: 1,
                first: earlier.map_or(context.now, |earlier| earlier.first),
                last: context.now,
                pin: Some(PinState::of_account(account, age)),
                trigger: None,
            };
            findings.put(key, finding);
        }
    }
}

fn key(account: &AccountState, certain: bool) -> FindingKey {
    FindingKey {
        kind: FindingKind::UndeclaredLongterm,
        trigger: None,
        pid: account.opened.pid,
        subject: FindingSubject::Account(account.opened.account),
        certain,
    }
}
