//! Pinned pages whose mapping was changed.

use pintrace_events::{MappingChange, MappingChanged};

use crate::finding::FindingKind;
use crate::finding_table::FindingTable;
use crate::pins::Hit;

use super::pin_hit::{self, PageBudget, most_pages, pages_of_parts};
use super::{Context, Detector, Observation};

/// Finds the extents whose mapping was changed.
pub(super) struct MappingChangeDetector;

impl Detector for MappingChangeDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        let Observation::MappingChanged(change, hits) = observation else {
            return;
        };
        if change.what == MappingChange::Fork {
            return;
        }
        let mut budget = PageBudget::new(change);
        for hit in hits {
            let pages = (certain_pages(change, hit, context), most_pages(hit, context));
            let kind = FindingKind::MappingTouched;
            pin_hit::add(kind, (change, hit), pages, &mut budget, context, findings);
        }
    }
}

/// Pages of the hit that were pinned for certain. If the extent was partially released, these are the pages that do not
/// fit into the rest of the extent.
fn certain_pages(change: &MappingChanged, hit: &Hit, context: Context<'_>) -> u64 {
    if hit.extent.ambiguous_owner || hit.extent.areas_unknown || change.after_loss {
        return 0;
    }
    let most = most_pages(hit, context);
    if hit.extent.partially_released.get().is_none() {
        return most;
    }
    // A sample older than the change may count pages that were released before the change. A later sample counts fewer.
    if hit.extent.sampled < context.now {
        return 0;
    }
    let opened = &hit.extent.opened;
    let all = context.stream.pages_of(&(opened.address..opened.end));
    // One pin may keep a large folio in place whose other pages are not pinned: only pins count.
    let held = hit.extent.pages_held.min(all);
    held.saturating_add(pages_of_parts(hit, context))
        .saturating_sub(all)
        .min(most)
}
