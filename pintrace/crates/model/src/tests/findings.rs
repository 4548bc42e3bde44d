//! Claims about findings on long-term pins: changed mappings, address spaces that end, copies.

use crate::finding::{Finding, FindingKind, Severity, TriggerKind};
use crate::limits;
use crate::subsystem::Subsystem;
use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};
use pintrace_events::{
    AddressSpaceId, Body, CowSampled, ExtentOpened, ExtentPartiallyReleased, ExtentSampled, FollGetReference,
    MappingChange, MappingChanged, MmId, RangeIn,
};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, SECOND};

use super::{fold, snapshot};

const PAGE: u64 = 4096;
const BUFFER: u64 = 0x10_0000;
const MM: MmId = MmId(0xffff_8880_1234_0000);
const FILE: AddressSpaceId = AddressSpaceId(0xffff_8880_5678_0000);

/// A process holds 16 pages at `BUFFER`, pinned by io_uring.
fn pinned() -> EventBuilder {
    let mut builder = EventBuilder::begin();
    builder
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .symbol(0x99, "do_munmap", "")
        .stack(1, &[IO_PIN_PAGES])
        .stack(2, &[0x99])
        .account(1, 7, 8, IO_PIN_PAGES, true)
        .process(7, "app");
    pin(&mut builder, 1, BUFFER, 16);
    builder.totals(1, 16, 0).wait(SECOND);
    exclusive(&mut builder, true);
    builder
}

fn pin(builder: &mut EventBuilder, extent: u32, address: u64, pages: u64) {
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(extent),
        account: AccountId(1),
        address,
        end: address + pages * PAGE,
        pages,
        bytes_held: pages * PAGE,
        stack: Some(StackId(1)),
        mm: MM,
        ..ExtentOpened::default()
    }));
}

/// A kernel that keeps exclusive pages from being copied, or one that does not.
fn exclusive(builder: &mut EventBuilder, exclusive: bool) {
    for event in &mut builder.events {
        if let Body::Started(started) = &mut event.body {
            started.exclusive_pages = exclusive;
        }
    }
}

/// Pages `first` to `last` of the buffer, the last one not included.
fn trigger(builder: &mut EventBuilder, what: MappingChange, first: u64, last: u64) {
    touch_counted(builder, what, first..last, 0);
}

fn touch_counted(builder: &mut EventBuilder, what: MappingChange, pages: std::ops::Range<u64>, counted: u64) {
    builder.emit(Body::MappingChanged(MappingChanged {
        within: RangeIn::Mm(MM),
        what,
        address: BUFFER + pages.start * PAGE,
        end: BUFFER + pages.end * PAGE,
        pages: counted,
        pid: Pid(7),
        tid: Tid(9),
        comm: "toucher".into(),
        stack: Some(StackId(2)),
        after_loss: false,
    }));
}

fn findings(builder: &EventBuilder) -> Vec<Finding> {
    let snapshot = snapshot(builder);
    assert_eq!((snapshot.unapplied_events, snapshot.findings_dropped), (0, 0));
    snapshot.findings
}

fn only(builder: &EventBuilder) -> Finding {
    let mut findings = findings(builder);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn a_mapping_that_is_unmapped_under_a_pin_is_found_with_both_sides() {
    let mut builder = pinned();
    trigger(&mut builder, MappingChange::Munmap, 4, 32);
    let found = only(&builder);
    assert_eq!(
        (found.kind, found.severity),
        (FindingKind::MappingTouched, Severity::Hazard)
    );
    assert_eq!((found.pid, found.comm.as_str()), (Pid(7), "app"));
    assert_eq!(
        (found.address, found.end),
        (BUFFER + 4 * PAGE, BUFFER + 16 * PAGE)
    );
    assert_eq!((found.pages, found.count), (12, 1));
    assert_eq!((found.first, found.last), (Nanos(2 * SECOND), Nanos(2 * SECOND)));
    let pin = found.pin.unwrap();
    assert_eq!(
        (pin.tid, pin.subsystem, pin.pages),
        (Tid(8), Subsystem::IoUring, 16)
    );
    assert_eq!((pin.address, pin.end), (BUFFER, BUFFER + 16 * PAGE));
    assert_eq!((pin.longterm, pin.age), (true, Nanos(SECOND)));
    assert_eq!(*pin.stack, ["io_pin_pages+0x42"]);
    let trigger = found.trigger.unwrap();
    assert_eq!(trigger.what, TriggerKind::Mapping(MappingChange::Munmap));
    assert_eq!(
        (trigger.pid, trigger.tid, trigger.comm.as_str()),
        (Pid(7), Tid(9), "toucher")
    );
    assert_eq!(*trigger.stack, ["do_munmap+0x42"]);
}

#[test]
fn a_change_beside_the_pin_is_no_finding() {
    let mut builder = pinned();
    trigger(&mut builder, MappingChange::Munmap, 16, 32);
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
fn a_pin_taken_after_the_mapping_change_or_released_before_is_not_concerned() {
    let mut builder = pinned();
    builder.extent_closed(1, 16, 7);
    trigger(&mut builder, MappingChange::Munmap, 0, 16);
    pin(&mut builder, 1, BUFFER, 16);
    trigger(&mut builder, MappingChange::Munmap, 0, 16);
    assert!(findings(&builder).is_empty(), "opened at that very moment");
    builder.wait(1);
    trigger(&mut builder, MappingChange::Munmap, 0, 16);
    assert_eq!(findings(&builder).len(), 1);
}

#[test]
fn repeats_are_folded_and_pages_never_exceed_the_range() {
    let mut builder = pinned();
    trigger(&mut builder, MappingChange::Free, 0, 2);
    builder.wait(SECOND);
    trigger(&mut builder, MappingChange::Free, 6, 8);
    let found = only(&builder);
    assert_eq!((found.count, found.pages), (2, 4));
    assert_eq!((found.address, found.end), (BUFFER, BUFFER + 8 * PAGE));
    assert_eq!((found.first, found.last), (Nanos(2 * SECOND), Nanos(3 * SECOND)));
    for _ in 0..9 {
        trigger(&mut builder, MappingChange::Free, 0, 8);
    }
    assert_eq!((only(&builder).count, only(&builder).pages), (11, 8));
    trigger(&mut builder, MappingChange::Munmap, 0, 8);
    assert_eq!(findings(&builder).len(), 2, "another touch is another finding");
}

#[test]
fn one_mapping_change_concerns_every_pin_in_its_range() {
    let mut builder = pinned();
    pin(&mut builder, 2, BUFFER + 64 * PAGE, 4);
    pin(&mut builder, 3, BUFFER + 65 * PAGE, 1);
    builder.wait(1);
    trigger(&mut builder, MappingChange::Munmap, 0, 66);
    let found = only(&builder);
    assert_eq!((found.count, found.pages), (1, 19));
    assert_eq!((found.address, found.end), (BUFFER, BUFFER + 66 * PAGE));
}

#[test]
fn a_pin_that_has_grown_or_shrunk_is_concerned_as_far_as_it_goes() {
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
    trigger(&mut builder, MappingChange::Munmap, 30, 40);
    assert_eq!(only(&builder).pages, 2);
    builder.emit(sample(BUFFER + 32 * PAGE, 3));
    trigger(&mut builder, MappingChange::Dontneed, 0, 32);
    assert_eq!(findings(&builder)[0].pages, 3, "no more than are held");
    builder.emit(sample(BUFFER + 32 * PAGE, 0));
    trigger(&mut builder, MappingChange::Mremap, 0, 32);
    assert_eq!(findings(&builder).len(), 2);
}

#[test]
fn each_mapping_change_is_as_bad_as_what_it_does_to_the_pages() {
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
        trigger(&mut builder, what, 0, 16);
        only(&builder).severity
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
        assert_eq!(severity(what, false, FILE), Note, "written in place");
    }
    assert_eq!(
        severity(MappingChange::Dontneed, true, FILE),
        Note,
        "the same pages come back"
    );
}

#[test]
fn pages_that_the_kernel_counts_are_taken_from_it() {
    let mut builder = pinned();
    touch_counted(&mut builder, MappingChange::Fork, 0..16, 5);
    touch_counted(&mut builder, MappingChange::Mprotect, 0..4, 64);
    let found = findings(&builder);
    let by = |kind| found.iter().find(|found| found.kind == kind).unwrap();
    assert_eq!(by(FindingKind::ForkCopiedPinned).pages, 5);
    assert_eq!(by(FindingKind::ForkCopiedPinned).count, 1);
    assert_eq!(by(FindingKind::MappingTouched).pages, 4);
}

#[test]
fn truncation_is_found_by_the_place_in_the_file() {
    let mut builder = pinned();
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(1),
        address: BUFFER << 4,
        end: (BUFFER << 4) + 8 * PAGE,
        pages: 8,
        address_space: FILE,
        file_offset: 2 * PAGE,
        ..ExtentOpened::default()
    }));
    builder.wait(1);
    let truncate = |from: u64| {
        Body::MappingChanged(MappingChanged {
            within: RangeIn::AddressSpace(FILE),
            what: MappingChange::Truncate,
            address: from * PAGE,
            end: u64::MAX,
            ..MappingChanged::default()
        })
    };
    builder.emit(truncate(10));
    assert!(findings(&builder).is_empty(), "the file goes on behind the pin");
    builder.emit(truncate(7));
    let found = only(&builder);
    assert_eq!((found.address, found.end, found.pages), (7 * PAGE, 10 * PAGE, 3));
    assert_eq!(found.severity, Severity::Hazard);
}

#[test]
fn a_pin_that_outlives_its_address_space_is_found_after_a_second() {
    let mut builder = pinned();
    builder.emit(Body::MmExited(MM)).wait(SECOND - 1).tick();
    assert!(findings(&builder).is_empty());
    builder.wait(1).tick();
    let found = only(&builder);
    assert_eq!(
        (found.kind, found.severity),
        (FindingKind::PinOutlivesMm, Severity::Hazard)
    );
    assert_eq!((found.first, found.last), (Nanos(2 * SECOND), Nanos(3 * SECOND)));
    assert_eq!((found.pages, found.count, found.pid), (16, 1, Pid(7)));
    builder.wait(SECOND).tick().extent_closed(1, 16, 7).tick();
    assert_eq!(
        (only(&builder).count, only(&builder).last),
        (1, Nanos(4 * SECOND))
    );
}

#[test]
fn a_pin_that_goes_soon_after_its_address_space_is_none_of_those() {
    let mut builder = pinned();
    builder
        .emit(Body::MmExited(MM))
        .wait(SECOND / 2)
        .extent_closed(1, 16, 7);
    builder.wait(SECOND).tick();
    assert!(findings(&builder).is_empty());
}

#[test]
fn a_later_address_space_of_the_same_number_is_another() {
    let mut builder = pinned();
    builder.emit(Body::MmExited(MM));
    pin(&mut builder, 2, BUFFER, 2);
    builder.wait(1);
    trigger(&mut builder, MappingChange::Munmap, 0, 16);
    assert_eq!(only(&builder).pages, 2, "the old one cannot be touched any more");
    builder.wait(SECOND).tick();
    let kinds: Vec<_> = findings(&builder)
        .iter()
        .map(|found| (found.kind, found.pages))
        .collect();
    assert_eq!(
        kinds,
        [(FindingKind::PinOutlivesMm, 16), (FindingKind::MappingTouched, 2)]
    );
}

fn copies() -> CowSampled {
    CowSampled {
        id: 3,
        account: AccountId(1),
        extent: Some((BUFFER, Nanos(SECOND))),
        anonymous: true,
        address: BUFFER + PAGE,
        end: BUFFER + 3 * PAGE,
        copies: 2,
        pages: 2,
        first: Nanos(3 * SECOND / 2),
        last: Nanos(2 * SECOND),
        tid: Tid(9),
        pid: Pid(7),
        comm: "writer".into(),
        stack: Some(StackId(2)),
        ..CowSampled::default()
    }
}

#[test]
fn a_copy_of_a_pinned_page_is_an_alarm_where_the_kernel_should_make_none() {
    let of = |exclusive: bool, change: fn(&mut CowSampled)| {
        let mut copies = copies();
        change(&mut copies);
        let mut builder = pinned();
        self::exclusive(&mut builder, exclusive);
        builder.emit(Body::CowSampled(copies));
        let found = only(&builder);
        (found.severity, found.trigger.unwrap().what)
    };
    assert_eq!(of(true, |_| {}), (Severity::Alarm, TriggerKind::Write));
    assert_eq!(of(false, |_| {}), (Severity::Hazard, TriggerKind::Write));
    assert_eq!(
        of(true, |copies| copies.anonymous = false),
        (Severity::Hazard, TriggerKind::Write)
    );
    assert_eq!(
        of(true, |copies| copies.unshare = true),
        (Severity::Note, TriggerKind::Unshare)
    );
}

#[test]
fn cow_has_the_evidence_of_its_extent_also_when_it_is_closed() {
    let mut builder = pinned();
    builder.extent_closed(1, 16, 7).emit(Body::CowSampled(copies()));
    let found = only(&builder);
    assert_eq!(
        (found.pid, found.comm.as_str(), found.count, found.pages),
        (Pid(7), "app", 2, 2)
    );
    let pin = found.pin.unwrap();
    assert_eq!(
        (pin.address, pin.end, pin.longterm),
        (BUFFER, BUFFER + 16 * PAGE, true)
    );
    assert_eq!(
        (pin.age, pin.pages, pin.subsystem),
        (Nanos(SECOND / 2), 16, Subsystem::IoUring)
    );
}

#[test]
fn a_later_cow_sample_replaces_the_earlier_and_keeps_the_evidence() {
    let mut builder = pinned();
    builder
        .emit(Body::CowSampled(copies()))
        .extent_closed(1, 16, 7)
        .totals(1, 16, 16)
        .account_closed(1)
        .emit(Body::CowSampled(CowSampled {
            copies: 5,
            in_window: 1,
            ..copies()
        }));
    let snapshot = snapshot(&builder);
    let [window, cow] = &snapshot.findings[..] else {
        panic!("{:#?}", snapshot.findings);
    };
    assert_eq!(
        (cow.kind, window.kind),
        (FindingKind::CowInFlushWindow, FindingKind::CowAfterPin)
    );
    assert_eq!((cow.count, cow.severity, cow.pages), (1, Severity::Alarm, 1));
    assert_eq!(
        (window.count, window.pin.as_ref().unwrap().end),
        (5, BUFFER + 16 * PAGE)
    );
    let counted = |kind, severity| snapshot.finding_counts[&(kind, severity)];
    assert_eq!(counted(FindingKind::CowAfterPin, Severity::Alarm), 5);
    assert_eq!(counted(FindingKind::CowAfterPin, Severity::Note), 0);
}

#[test]
fn a_stack_that_comes_late_is_the_findings_too() {
    let mut builder = pinned();
    for event in &mut builder.events {
        if let Body::ExtentOpened(opened) = &mut event.body {
            opened.stack = None;
        }
    }
    trigger(&mut builder, MappingChange::Munmap, 0, 1);
    assert!(only(&builder).pin.unwrap().stack.is_empty());
    builder.emit(Body::ExtentSampled(ExtentSampled {
        extent: ExtentId(1),
        end: BUFFER + 16 * PAGE,
        pages: 16,
        pages_held: 16,
        stack: Some(StackId(1)),
        ..ExtentSampled::default()
    }));
    assert_eq!(*only(&builder).pin.unwrap().stack, ["io_pin_pages+0x42"]);
}

#[test]
fn a_full_table_gives_up_notes_for_alarms_and_counts_both_ways() {
    let mut builder = EventBuilder::begin();
    exclusive(&mut builder, true);
    let pins = u32::try_from(limits::FINDINGS).unwrap() + 10;
    for one in 0..pins {
        let address = BUFFER + u64::from(one) * PAGE;
        builder.account(one + 1, 7, 7 + one, IO_PIN_PAGES, true);
        builder.emit(Body::ExtentOpened(ExtentOpened {
            extent: ExtentId(one),
            account: AccountId(one + 1),
            address,
            end: address + PAGE,
            pages: 1,
            bytes_held: PAGE,
            mm: MM,
            ..ExtentOpened::default()
        }));
    }
    builder.wait(1);
    trigger(&mut builder, MappingChange::Mremap, 0, u64::from(pins));
    let mut model = fold(&builder);
    let full = model.snapshot();
    assert_eq!(
        (full.findings.len(), full.findings_dropped),
        (limits::FINDINGS, 10)
    );
    let alarm = Body::CowSampled(copies());
    model.apply(&pintrace_events::Event {
        time: Nanos(9 * SECOND),
        body: alarm,
    });
    let after = model.snapshot();
    assert_eq!(
        (after.findings.len(), after.findings_dropped),
        (limits::FINDINGS, 11)
    );
    assert_eq!(after.findings[0].severity, Severity::Alarm);
}

/// Pages were released and others are left: the last sample tells how many.
fn shrink(builder: &mut EventBuilder, left: u64) {
    builder
        .emit(Body::ExtentPartiallyReleased(ExtentPartiallyReleased {
            extent: ExtentId(1),
            ambiguous_owner: false,
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
fn how_much_was_left_before_says_nothing_of_what_was_left_then() {
    let mut builder = pinned();
    shrink(&mut builder, 8);
    builder.wait(1);
    trigger(&mut builder, MappingChange::Munmap, 6, 16);
    assert!(!only(&builder).certain);
}

#[test]
fn of_a_pin_that_was_released_in_part_only_what_is_sure_is_a_hazard() {
    let mut builder = pinned();
    shrink(&mut builder, 8);
    trigger(&mut builder, MappingChange::Munmap, 0, 8);
    let found = only(&builder);
    assert_eq!(
        (found.severity, found.certain, found.pages),
        (Severity::Note, false, 8)
    );
    assert!(
        found.explanation.contains("is not known"),
        "{}",
        found.explanation
    );
    // Of the ten at the end, two at least are among the eight that are left.
    let mut builder = pinned();
    shrink(&mut builder, 8);
    trigger(&mut builder, MappingChange::Munmap, 6, 16);
    let found = only(&builder);
    assert_eq!(
        (found.severity, found.certain, found.pages),
        (Severity::Hazard, true, 2)
    );
}

#[test]
fn what_is_sure_and_what_is_not_are_told_apart() {
    let mut builder = pinned();
    shrink(&mut builder, 8);
    trigger(&mut builder, MappingChange::Munmap, 0, 1);
    shrink(&mut builder, 8);
    trigger(&mut builder, MappingChange::Munmap, 1, 16);
    let findings = findings(&builder);
    let emitted: Vec<_> = findings
        .iter()
        .map(|found| (found.severity, found.certain, found.pages, found.count))
        .collect();
    assert_eq!(
        emitted,
        [(Severity::Hazard, true, 7, 1), (Severity::Note, false, 1, 1)]
    );
}

#[test]
fn nothing_is_sure_after_loss_nor_where_a_release_was_given_by_rule() {
    let mut builder = pinned();
    builder.emit(Body::ExtentPartiallyReleased(ExtentPartiallyReleased {
        extent: ExtentId(1),
        ambiguous_owner: true,
    }));
    trigger(&mut builder, MappingChange::Munmap, 0, 16);
    assert!(!only(&builder).certain);
    let mut builder = pinned();
    builder.emit(Body::MappingChanged(MappingChanged {
        within: RangeIn::Mm(MM),
        what: MappingChange::Munmap,
        address: BUFFER,
        end: BUFFER + PAGE,
        after_loss: true,
        ..MappingChanged::default()
    }));
    assert!(!only(&builder).certain);
}

#[test]
fn a_file_that_is_gone_is_not_taken_for_the_next() {
    let mut builder = pinned();
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(1),
        end: 4 * PAGE,
        pages: 4,
        bytes_held: 4 * PAGE,
        address_space: FILE,
        ..ExtentOpened::default()
    }));
    builder.wait(1).emit(Body::AddressSpaceFreed(FILE));
    builder.emit(Body::MappingChanged(MappingChanged {
        within: RangeIn::AddressSpace(FILE),
        what: MappingChange::Truncate,
        end: 4 * PAGE,
        ..MappingChanged::default()
    }));
    assert_eq!(findings(&builder), []);
}

#[test]
fn each_of_two_pins_on_the_same_pages_is_touched() {
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
    touch_counted(&mut builder, MappingChange::Mprotect, 0..16, 16);
    let pages: Vec<_> = findings(&builder).iter().map(|found| found.pages).collect();
    assert_eq!(pages, [16, 16]);
}

#[test]
fn an_unmapped_range_is_not_changed_again_by_its_successor() {
    let mut builder = pinned();
    trigger(&mut builder, MappingChange::Munmap, 4, 8);
    builder.wait(SECOND);
    trigger(&mut builder, MappingChange::Munmap, 4, 8);
    let found = only(&builder);
    assert_eq!((found.pages, found.count, found.last), (4, 1, Nanos(2 * SECOND)));
    trigger(&mut builder, MappingChange::Mprotect, 0, 16);
    let findings = findings(&builder);
    let protected = findings
        .iter()
        .find(|found| found.severity == Severity::Note)
        .unwrap();
    assert_eq!((protected.address, protected.end), (BUFFER, BUFFER + 16 * PAGE));
    assert_eq!(protected.pages, 12);
}

#[test]
fn a_copy_of_what_somebody_has_a_reference_to_is_a_finding_of_its_own() {
    let mut builder = pinned();
    builder.emit(Body::CowSampled(CowSampled {
        id: 9,
        account: AccountId(0),
        reference: Some(FollGetReference {
            taken: Nanos(SECOND),
            tid: Tid(8),
            pid: Pid(7),
            stack: Some(StackId(1)),
        }),
        extent: None,
        address: BUFFER,
        end: BUFFER + 4 * PAGE,
        copies: 4,
        pages: 4,
        first: Nanos(2 * SECOND),
        ..copies()
    }));
    let found = only(&builder);
    assert_eq!(
        (found.kind, found.severity),
        (FindingKind::GetNotPin, Severity::Note)
    );
    assert_eq!((found.pid, found.comm.as_str()), (Pid(7), "app"));
    assert_eq!((found.count, found.pages), (4, 4));
    let pin = found.pin.unwrap();
    assert!(pin.reference && !pin.longterm);
    assert_eq!((pin.tid, pin.age), (Tid(8), Nanos(SECOND)));
    assert!(
        pin.sentence().starts_with("a reference, by thread 8"),
        "{}",
        pin.sentence()
    );
    assert_eq!(*pin.stack, ["io_pin_pages+0x42"]);
}

#[test]
fn a_short_term_pin_that_has_an_address_is_told_as_one() {
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
    trigger(&mut builder, MappingChange::Munmap, 64, 66);
    let found = only(&builder);
    assert_eq!((found.severity, found.pages), (Severity::Hazard, 2));
    assert!(!found.pin.unwrap().longterm);
}
