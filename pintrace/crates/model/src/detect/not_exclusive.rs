//! Pinned anonymous pages that the kernel may share with another process. From 5.19 on, `PageAnonExclusive` is set on each
//! pinned anonymous page until the page is free (`sanity_check_pinned_pages`, mm/gup.c).

use pintrace_events::units::Nanos;

use crate::assessment;
use crate::evidence::PinState;
use crate::finding::FindingKind;
use crate::finding_table::{FindingKey, FindingState, FindingSubject, FindingTable};

use super::{Context, Detector, Observation};

/// Finds the accounts that pinned or released such pages.
pub(super) struct NotExclusiveDetector;

impl Detector for NotExclusiveDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        let Observation::Account(account) = observation else {
            return;
        };
        let count = account.totals.not_exclusive;
        if count == 0 {
            return;
        }
        let key = FindingKey {
            kind: FindingKind::PinnedNotExclusive,
            trigger: None,
            pid: account.opened.pid,
            subject: FindingSubject::Account(account.opened.account),
            certain: true,
        };
        let earlier = findings.get(&key);
        if earlier.is_some_and(|earlier| earlier.count == count) {
            return;
        }
        let age = Nanos(context.now.0.saturating_sub(account.totals.held_since.0));
        let finding = FindingState {
            assessment: &assessment::NOT_EXCLUSIVE,
            holder: context.pins.holder(Some(account)),
            address: 0,
            end: 0,
            pages: count,
            count,
            first: earlier.map_or(context.now, |earlier| earlier.first),
            last: context.now,
            pin: Some(PinState::of_account(account, age)),
            trigger: None,
        };
        findings.put(key, finding);
    }
}
