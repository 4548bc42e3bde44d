//! Tests of pins that outlive their mm.

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, MappingChange, ProcessExited};
use pintrace_testing::event_builder::{EventBuilder, SECOND};

use crate::finding::{FindingKind, Severity};

use super::{BUFFER, MM, PAGE, RING, change, findings, only_finding, pin, pinned};

/// Ends the process of the extents.
fn exit(builder: &mut EventBuilder) {
    builder.emit(Body::ProcessExited(ProcessExited {
        pid: Pid(7),
        ..ProcessExited::default()
    }));
}

#[test]
fn a_process_whose_mm_is_torn_down_for_long_is_no_finding_before_it_closes_its_files() {
    let mut builder = pinned();
    builder.emit(Body::MmExited(MM));
    for _ in 0..20 {
        builder.wait(SECOND).tick();
    }
    exit(&mut builder);
    builder.wait(SECOND - 1).tick();
    assert!(findings(&builder).is_empty());
    builder.wait(1).tick();
    assert_eq!(only_finding(&builder).kind, FindingKind::PinOutlivesMm);
}

#[test]
fn pins_are_released_later_than_the_last_reference_to_their_file() {
    let mut builder = pinned();
    builder.emit(Body::MmExited(MM));
    exit(&mut builder);
    builder.wait(SECOND / 2);
    builder.emit(Body::FileReleased(RING));
    builder.wait(SECOND - 1).tick();
    assert!(findings(&builder).is_empty());
    builder.wait(1).tick();
    assert_eq!(only_finding(&builder).severity, Severity::Hazard);
}

#[test]
fn pins_that_a_process_keeps_across_execve_are_a_note() {
    let mut builder = pinned();
    builder.emit(Body::MmExited(MM));
    builder.emit(Body::ProcessExeced(Pid(7)));
    builder.wait(SECOND).tick();
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.kind, finding.severity),
        (FindingKind::PinOutlivesMm, Severity::Note)
    );
}

#[test]
fn a_pin_that_outlives_its_mm_is_found_after_a_second() {
    let mut builder = pinned();
    builder.emit(Body::MmExited(MM));
    exit(&mut builder);
    builder.wait(SECOND - 1).tick();
    assert!(findings(&builder).is_empty());
    builder.wait(1).tick();
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.kind, finding.severity),
        (FindingKind::PinOutlivesMm, Severity::Hazard)
    );
    assert_eq!(
        (finding.first, finding.last),
        (Nanos(2 * SECOND), Nanos(3 * SECOND))
    );
    assert_eq!((finding.pages, finding.count, finding.pid), (16, 1, Pid(7)));
    builder.wait(SECOND).tick().extent_closed(1, 16, 7).tick();
    assert_eq!(
        (only_finding(&builder).count, only_finding(&builder).last),
        (1, Nanos(4 * SECOND))
    );
}

#[test]
fn a_pin_released_soon_after_its_mm_is_no_finding() {
    let mut builder = pinned();
    builder
        .emit(Body::MmExited(MM))
        .wait(SECOND / 2)
        .extent_closed(1, 16, 7);
    builder.wait(SECOND).tick();
    assert!(findings(&builder).is_empty());
}

#[test]
fn a_later_mm_at_the_same_address_is_another_mm() {
    let mut builder = pinned();
    builder.emit(Body::MmExited(MM));
    builder.emit(Body::ProcessExeced(Pid(7)));
    pin(&mut builder, 2, BUFFER, 2);
    builder.wait(1);
    change(&mut builder, MappingChange::Munmap, 0, 16);
    assert_eq!(
        only_finding(&builder).pages,
        2,
        "the mm that exited has no mapping to change"
    );
    builder.wait(SECOND).tick();
    let kinds: Vec<_> = findings(&builder)
        .iter()
        .map(|finding| (finding.kind, finding.pages))
        .collect();
    assert_eq!(
        kinds,
        [(FindingKind::MappingTouched, 2), (FindingKind::PinOutlivesMm, 16)]
    );
}

#[test]
fn lost_releases_make_no_certain_finding_of_pins_that_outlive_their_mm() {
    let mut builder = pinned();
    pin(&mut builder, 2, BUFFER + 32 * PAGE, 8);
    builder.loss(&[("recursion_missed", 1)]);
    builder.emit(Body::MmExited(MM));
    exit(&mut builder);
    let figures = |builder: &EventBuilder| -> Vec<_> {
        let findings = findings(builder);
        let figures = findings
            .iter()
            .map(|it| (it.severity, it.certain, it.pages, it.count));
        figures.collect()
    };
    for _ in 0..4 {
        builder.wait(SECOND).tick();
        assert_eq!(figures(&builder), [(Severity::Note, false, 24, 2)]);
    }
    // A reconciliation has closed the extent whose release was lost. The other extent is still pinned.
    builder.extent_closed(2, 8, 7).balance(24, 8).tick();
    assert_eq!(
        figures(&builder),
        [(Severity::Hazard, true, 16, 1), (Severity::Note, false, 24, 2)]
    );
    builder.wait(SECOND).tick();
    assert_eq!(figures(&builder).len(), 2, "each extent is found once");
}
