//! Tests of pins whose mapping was changed.

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, Tid};
use pintrace_events::{
    AddressSpaceId, Body, ExtentOpened, ExtentSampled, MappingChange, MappingChanged, MmId, RangeIn,
};
use pintrace_testing::event_builder::{IO_PIN_PAGES, SECOND};

use crate::finding::{FindingKind, Severity, TriggerKind};
use crate::subsystem::Subsystem;

use super::{BUFFER, FILE, MM, PAGE, RING, change, change_counted, findings, only_finding, pin, pinned};

#[test]
fn munmap_under_a_pin_is_found_with_pin_and_trigger() {
    let mut builder = pinned();
    change(&mut builder, MappingChange::Munmap, 4, 32);
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.kind, finding.severity),
        (FindingKind::MappingTouched, Severity::Hazard)
    );
    assert_eq!((finding.pid, finding.comm.as_str()), (Pid(7), "app"));
    assert_eq!(
        (finding.address, finding.end),
        (BUFFER + 4 * PAGE, BUFFER + 16 * PAGE)
    );
    assert_eq!((finding.pages, finding.count), (12, 1));
    assert_eq!(
        (finding.first, finding.last),
        (Nanos(2 * SECOND), Nanos(2 * SECOND))
    );
    let pin = finding.pin.unwrap();
    assert_eq!(
        (pin.tid, pin.subsystem, pin.pages),
        (Tid(8), Subsystem::IoUring, 16)
    );
    assert_eq!((pin.address, pin.end), (BUFFER, BUFFER + 16 * PAGE));
    assert_eq!((pin.longterm, pin.age), (true, Nanos(SECOND)));
    assert_eq!(*pin.stack, ["io_pin_pages+0x42"]);
    let trigger = finding.trigger.unwrap();
    assert_eq!(trigger.what, TriggerKind::Mapping(MappingChange::Munmap));
    assert_eq!(
        (trigger.pid, trigger.tid, trigger.comm.as_str()),
        (Pid(7), Tid(9), "toucher")
    );
    assert_eq!(*trigger.stack, ["do_munmap+0x42"]);
}

#[test]
fn a_change_outside_the_pin_is_no_finding() {
    let mut builder = pinned();
    change(&mut builder, MappingChange::Munmap, 16, 32);
    builder.emit(Body::MappingChanged(MappingChanged {
        within: RangeIn::Mm(MM),
        address: BUFFER - 8 * PAGE,
        end: BUFFER,
        ..MappingChanged::default()
    }));
    for within in [RangeIn::Mm(MmId(0)), RangeIn::Mm(MmId(5))] {
        builder.emit(Body::MappingChanged(MappingChanged {
            within,
            address: 0,
            end: u64::MAX,
            ..MappingChanged::default()
        }));
    }
    assert!(findings(&builder).is_empty());
}

#[test]
fn pins_taken_after_the_change_or_released_before_it_are_no_finding() {
    let mut builder = pinned();
    builder.extent_closed(1, 16, 7);
    change(&mut builder, MappingChange::Munmap, 0, 16);
    pin(&mut builder, 1, BUFFER, 16);
    change(&mut builder, MappingChange::Munmap, 0, 16);
    assert!(findings(&builder).is_empty(), "opened at the time of the change");
    builder.wait(1);
    change(&mut builder, MappingChange::Munmap, 0, 16);
    assert_eq!(findings(&builder).len(), 1);
}

#[test]
fn repeats_are_folded_and_pages_never_exceed_the_range() {
    let mut builder = pinned();
    change(&mut builder, MappingChange::Free, 0, 2);
    builder.wait(SECOND);
    change(&mut builder, MappingChange::Free, 6, 8);
    let finding = only_finding(&builder);
    assert_eq!((finding.count, finding.pages), (2, 4));
    assert_eq!((finding.address, finding.end), (BUFFER, BUFFER + 8 * PAGE));
    assert_eq!(
        (finding.first, finding.last),
        (Nanos(2 * SECOND), Nanos(3 * SECOND))
    );
    for _ in 0..9 {
        change(&mut builder, MappingChange::Free, 0, 8);
    }
    assert_eq!(
        (only_finding(&builder).count, only_finding(&builder).pages),
        (11, 8)
    );
    change(&mut builder, MappingChange::Munmap, 0, 8);
    assert_eq!(
        findings(&builder).len(),
        2,
        "another kind of change is another finding"
    );
}

#[test]
fn one_mapping_change_concerns_every_pin_in_its_range() {
    let mut builder = pinned();
    pin(&mut builder, 2, BUFFER + 64 * PAGE, 4);
    pin(&mut builder, 3, BUFFER + 65 * PAGE, 1);
    builder.wait(1);
    change(&mut builder, MappingChange::Munmap, 0, 66);
    let finding = only_finding(&builder);
    assert_eq!((finding.count, finding.pages), (1, 19));
    assert_eq!((finding.address, finding.end), (BUFFER, BUFFER + 66 * PAGE));
}

#[test]
fn grown_or_shrunk_extents_count_their_current_pages() {
    let mut builder = pinned();
    let sample = |end, pages_held| {
        Body::ExtentSampled(ExtentSampled {
            extent: ExtentId(1),
            end,
            pages: 32,
            pages_held,
            ..ExtentSampled::default()
        })
    };
    builder.emit(sample(BUFFER + 32 * PAGE, 32));
    change(&mut builder, MappingChange::Munmap, 30, 40);
    assert_eq!(only_finding(&builder).pages, 2);
    builder.emit(sample(BUFFER + 32 * PAGE, 3));
    change(&mut builder, MappingChange::Dontneed, 0, 32);
    assert_eq!(
        findings(&builder)[0].pages,
        3,
        "no more pages than the extent holds"
    );
    builder.emit(sample(BUFFER + 32 * PAGE, 0));
    change(&mut builder, MappingChange::Mremap, 0, 32);
    assert_eq!(findings(&builder).len(), 2);
}

#[test]
fn each_mapping_change_has_its_severity() {
    use Severity::{Hazard, Note};
    let severity = |what, exclusive, file| {
        let mut builder = pinned();
        for event in &mut builder.events {
            match &mut event.body {
                Body::Started(started) => started.exclusive_pages = exclusive,
                Body::ExtentOpened(opened) => opened.address_space = file,
                _ => {}
            }
        }
        change(&mut builder, what, 0, 16);
        only_finding(&builder).severity
    };
    for what in [
        MappingChange::Munmap,
        MappingChange::MmapOver,
        MappingChange::Dontneed,
        MappingChange::Brk,
        MappingChange::Unmap,
    ] {
        assert_eq!(severity(what, true, AddressSpaceId(0)), Hazard);
    }
    for what in [
        MappingChange::Mremap,
        MappingChange::Free,
        MappingChange::SoftDirty,
        MappingChange::Fork,
    ] {
        assert_eq!(severity(what, false, AddressSpaceId(0)), Note);
    }
    for what in [MappingChange::Mprotect, MappingChange::UffdWp] {
        assert_eq!(severity(what, false, AddressSpaceId(0)), Hazard);
        assert_eq!(severity(what, true, AddressSpaceId(0)), Note);
        assert_eq!(
            severity(what, false, FILE),
            Note,
            "the kernel writes to shared file pages in place"
        );
    }
    assert_eq!(
        severity(MappingChange::Dontneed, true, FILE),
        Note,
        "the next access maps the same pages"
    );
}

#[test]
fn two_accounts_on_the_same_pages_give_two_findings() {
    let mut builder = pinned();
    builder.account(2, 7, 9, IO_PIN_PAGES, true);
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(2),
        address: BUFFER,
        end: BUFFER + 16 * PAGE,
        pages: 16,
        bytes_held: 16 * PAGE,
        mm: MM,
        ..ExtentOpened::default()
    }));
    builder.wait(1);
    change_counted(&mut builder, MappingChange::Mprotect, 0..16, 16);
    let pages: Vec<_> = findings(&builder).iter().map(|finding| finding.pages).collect();
    assert_eq!(pages, [16, 16]);
}

#[test]
fn changes_of_a_later_mapping_do_not_concern_the_unmapped_pin() {
    let mut builder = pinned();
    change(&mut builder, MappingChange::Munmap, 4, 8);
    builder.wait(SECOND);
    change(&mut builder, MappingChange::Munmap, 4, 8);
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.pages, finding.count, finding.last),
        (4, 1, Nanos(2 * SECOND))
    );
    change(&mut builder, MappingChange::Mprotect, 0, 16);
    let findings = findings(&builder);
    let protected = findings
        .iter()
        .find(|finding| finding.severity == Severity::Note)
        .unwrap();
    assert_eq!((protected.address, protected.end), (BUFFER, BUFFER + 16 * PAGE));
    assert_eq!(protected.pages, 12);
}

#[test]
fn a_short_term_pin_with_an_extent_is_shown_as_short_term() {
    let mut builder = pinned();
    builder.account(2, 7, 8, IO_PIN_PAGES, false);
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(2),
        address: BUFFER + 64 * PAGE,
        end: BUFFER + 66 * PAGE,
        pages: 2,
        bytes_held: 2 * PAGE,
        mm: MM,
        ..ExtentOpened::default()
    }));
    builder.wait(SECOND);
    change(&mut builder, MappingChange::Munmap, 64, 66);
    let finding = only_finding(&builder);
    assert_eq!((finding.severity, finding.pages), (Severity::Hazard, 2));
    assert!(!finding.pin.unwrap().longterm);
}

#[test]
fn an_unmap_after_the_end_of_the_file_that_pinned_is_a_note() {
    let mut builder = pinned();
    builder.emit(Body::FileReleased(RING)).wait(1);
    change(&mut builder, MappingChange::Munmap, 0, 16);
    let finding = only_finding(&builder);
    assert_eq!((finding.severity, finding.pages), (Severity::Note, 16));
    assert!(finding.explanation.contains("releases the pins a moment later"));
}

#[test]
fn a_file_at_the_address_of_an_ended_file_is_another_file() {
    let mut builder = pinned();
    builder.emit(Body::FileReleased(RING)).wait(1);
    pin(&mut builder, 2, BUFFER + 32 * PAGE, 4);
    builder.wait(1);
    change(&mut builder, MappingChange::Munmap, 32, 36);
    let finding = only_finding(&builder);
    assert_eq!((finding.severity, finding.pages), (Severity::Hazard, 4));
}

#[test]
fn an_unmap_before_the_end_of_the_file_that_pinned_is_a_hazard() {
    let mut builder = pinned();
    change(&mut builder, MappingChange::Munmap, 0, 16);
    builder.wait(1).emit(Body::FileReleased(RING));
    assert_eq!(only_finding(&builder).severity, Severity::Hazard);
}
