//! Findings on extents whose mapping was changed, common to fork and to the other changes.

use std::collections::BTreeMap;

use pintrace_events::{AddressSpaceId, MappingChanged};

use crate::assessment;
use crate::evidence::{PinState, TriggerState};
use crate::finding::{FindingKind, TriggerKind};
use crate::finding_table::{FindingKey, FindingState, FindingSubject, FindingTable};
use crate::pins::Hit;

use super::Context;

/// The pages of one change that the kernel counted, shared out among the findings of that change.
pub(super) struct PageBudget {
    /// Pages that the kernel counted; unlimited if the kernel does not count them.
    pages: u64,
    /// Pages left for each finding.
    left: BTreeMap<FindingKey, u64>,
}

impl PageBudget {
    pub(super) fn new(change: &MappingChanged) -> Self {
        Self {
            pages: if change.pages > 0 { change.pages } else { u64::MAX },
            left: BTreeMap::new(),
        }
    }

    /// Takes up to `most` pages for a finding. The second value is true if the change concerns the finding for the
    /// first time.
    fn take(&mut self, key: FindingKey, most: u64) -> (u64, bool) {
        let first = !self.left.contains_key(&key);
        let left = self.left.entry(key).or_insert(self.pages);
        let pages = most.min(*left);
        *left -= pages;
        (pages, first)
    }
}

/// Adds a finding on one extent. `certain_pages` of the hit were pinned for certain; `most_pages` at the most.
pub(super) fn add(
    kind: FindingKind,
    (change, hit): (&MappingChanged, &Hit),
    (certain_pages, most_pages): (u64, u64),
    budget: &mut PageBudget,
    context: Context<'_>,
    findings: &mut FindingTable,
) {
    let extent = &hit.extent;
    let account = context.pins.accounts.get(extent.opened.account);
    let holder = context.pins.holder(account);
    let (assessment, pages) = if extent.file_released.get().is_some() {
        (&assessment::RELEASING, most_pages)
    } else if certain_pages == 0 {
        (&assessment::UNCERTAIN, most_pages)
    } else {
        let exclusive = context.stream.keeps_exclusive_pages();
        let file = extent.opened.address_space != AddressSpaceId(0);
        (assessment::of_change(change.what, exclusive, file), certain_pages)
    };
    let key = FindingKey {
        kind,
        trigger: Some(TriggerKind::Mapping(change.what)),
        pid: holder.pid,
        subject: FindingSubject::Account(extent.opened.account),
        certain: certain_pages > 0,
    };
    let (pages, first) = budget.take(key, pages);
    // Other extents of the account have used up the pages that the kernel counted.
    if pages == 0 {
        return;
    }
    let fresh = FindingState {
        assessment,
        holder,
        address: hit.parts.first().map_or(0, |part| part.start),
        end: hit.parts.last().map_or(0, |part| part.end),
        pages,
        count: 1,
        first: context.now,
        last: context.now,
        pin: Some(PinState::of_extent(extent, account, context.now)),
        trigger: Some(TriggerState::of_mapping(change)),
    };
    findings.put_or_repeat(key, fresh, u64::from(first), |range| {
        context.stream.pages_of(range)
    });
}

/// Pages of the hit, pinned or not.
pub(super) fn pages_of_parts(hit: &Hit, context: Context<'_>) -> u64 {
    let parts = hit.parts.iter().map(|part| context.stream.pages_of(part));
    parts.fold(0, u64::saturating_add)
}

/// Upper bound of the pinned pages of the hit.
pub(super) fn most_pages(hit: &Hit, context: Context<'_>) -> u64 {
    // One pin keeps all of a large folio in place.
    let kept = context
        .stream
        .pages_of(&(0..hit.extent.opened.bytes_held))
        .max(hit.extent.pages_held);
    pages_of_parts(hit, context).min(kept)
}
