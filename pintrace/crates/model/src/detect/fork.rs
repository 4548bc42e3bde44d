//! Pinned pages that fork(2) copied for the child at once.

use pintrace_events::MappingChange;

use crate::finding::FindingKind;
use crate::finding_table::FindingTable;

use super::pin_hit::{self, PageBudget, most_pages};
use super::{Context, Detector, Observation};

/// Finds pinned pages that fork(2) copied.
pub(super) struct ForkDetector;

impl Detector for ForkDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        let Observation::MappingChanged(change, hits) = observation else {
            return;
        };
        if change.what != MappingChange::Fork {
            return;
        }
        let mut budget = PageBudget::new(change);
        for hit in hits {
            // fork copies only pinned pages at once, so all pages are certain.
            let pages = most_pages(hit, context);
            let kind = FindingKind::ForkCopiedPinned;
            pin_hit::add(
                kind,
                (change, hit),
                (pages, pages),
                &mut budget,
                context,
                findings,
            );
        }
    }
}
