//! Tests of pinned pages that fork copied.

use pintrace_events::MappingChange;

use crate::finding::FindingKind;

use super::{change_counted, findings, pinned};

#[test]
fn the_page_count_of_the_kernel_limits_the_pages_of_a_finding() {
    let mut builder = pinned();
    change_counted(&mut builder, MappingChange::Fork, 0..16, 5);
    change_counted(&mut builder, MappingChange::Mprotect, 0..4, 64);
    let finding = findings(&builder);
    let by = |kind| finding.iter().find(|finding| finding.kind == kind).unwrap();
    assert_eq!(by(FindingKind::ForkCopiedPinned).pages, 5);
    assert_eq!(by(FindingKind::ForkCopiedPinned).count, 1);
    assert_eq!(by(FindingKind::MappingTouched).pages, 4);
}
