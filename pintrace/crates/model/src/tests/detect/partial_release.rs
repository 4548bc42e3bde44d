//! Tests of mapping changes on extents of which some pages were released.

use pintrace_events::units::ExtentId;
use pintrace_events::{Body, ExtentMarked, ExtentSampled, MappingChange, MappingChanged, RangeIn};
use pintrace_testing::event_builder::{EventBuilder, SECOND};

use crate::finding::Severity;

use super::{BUFFER, MM, PAGE, change, findings, only_finding, pinned};

/// Releases pages of the extent, so that `left` pages remain.
fn shrink(builder: &mut EventBuilder, left: u64) {
    builder
        .emit(Body::ExtentMarked(ExtentMarked {
            extent: ExtentId(1),
            partially_released: true,
            ..ExtentMarked::default()
        }))
        .wait(SECOND)
        .emit(Body::ExtentSampled(ExtentSampled {
            extent: ExtentId(1),
            end: BUFFER + 16 * PAGE,
            pages: 16,
            pages_held: left,
            bytes_held: left * PAGE,
            stack: None,
        }));
}

#[test]
fn pages_are_uncertain_if_the_sample_is_older_than_the_change() {
    let mut builder = pinned();
    shrink(&mut builder, 8);
    builder.wait(1);
    change(&mut builder, MappingChange::Munmap, 6, 16);
    assert!(!only_finding(&builder).certain);
}

#[test]
fn only_certain_pages_of_a_partially_released_extent_are_a_hazard() {
    let mut builder = pinned();
    shrink(&mut builder, 8);
    change(&mut builder, MappingChange::Munmap, 0, 8);
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.severity, finding.certain, finding.pages),
        (Severity::Note, false, 8)
    );
    assert!(
        finding.explanation.contains("is not known"),
        "{}",
        finding.explanation
    );
    // Eight of 16 pages are left, so at least two of the last ten pages are left.
    let mut builder = pinned();
    shrink(&mut builder, 8);
    change(&mut builder, MappingChange::Munmap, 6, 16);
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.severity, finding.certain, finding.pages),
        (Severity::Hazard, true, 2)
    );
}

#[test]
fn certain_and_uncertain_pages_are_two_findings() {
    let mut builder = pinned();
    shrink(&mut builder, 8);
    change(&mut builder, MappingChange::Munmap, 0, 1);
    shrink(&mut builder, 8);
    change(&mut builder, MappingChange::Munmap, 1, 16);
    let findings = findings(&builder);
    let listed: Vec<_> = findings
        .iter()
        .map(|finding| (finding.severity, finding.certain, finding.pages, finding.count))
        .collect();
    assert_eq!(
        listed,
        [(Severity::Hazard, true, 7, 1), (Severity::Note, false, 1, 1)]
    );
}

#[test]
fn nothing_is_certain_after_loss_or_with_an_ambiguous_owner_or_with_unknown_areas() {
    let ambiguous_owner = ExtentMarked {
        extent: ExtentId(1),
        ambiguous_owner: true,
        ..ExtentMarked::default()
    };
    let areas_unknown = ExtentMarked {
        extent: ExtentId(1),
        areas_unknown: true,
        ..ExtentMarked::default()
    };
    for marked in [ambiguous_owner, areas_unknown] {
        let mut builder = pinned();
        builder.emit(Body::ExtentMarked(marked));
        change(&mut builder, MappingChange::Munmap, 0, 16);
        assert!(!only_finding(&builder).certain);
    }
    let mut builder = pinned();
    builder.emit(Body::MappingChanged(MappingChanged {
        within: RangeIn::Mm(MM),
        what: MappingChange::Munmap,
        address: BUFFER,
        end: BUFFER + PAGE,
        after_loss: true,
        ..MappingChanged::default()
    }));
    assert!(!only_finding(&builder).certain);
}
