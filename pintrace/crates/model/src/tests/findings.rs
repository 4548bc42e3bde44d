//! Claims about findings on long-term pins: changed mappings, address spaces that end, copies.

use crate::finding::{Finding, FindingKind, Severity, TouchKind};
use crate::limits;
use crate::subsystem::Subsystem;
use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};
use pintrace_events::{
    Body, CopiesSampled, ExtentOpened, ExtentSampled, ExtentShrinks, Reference, Space, Touch, Touched,
};
use pintrace_testing::story::{IO_PIN_PAGES, SECOND, Story};

use super::{fold, snapshot};

const PAGE: u64 = 4096;
const BUFFER: u64 = 0x10_0000;
const MM: Space = Space(0xffff_8880_1234_0000);
const FILE: Space = Space(0xffff_8880_5678_0000);

/// A process holds 16 pages at `BUFFER`, pinned by io_uring.
fn pinned() -> Story {
    let mut story = Story::begin();
    story
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .symbol(0x99, "do_munmap", "")
        .stack(1, &[IO_PIN_PAGES])
        .stack(2, &[0x99])
        .account(1, 7, 8, IO_PIN_PAGES, true)
        .process(7, "app");
    pin(&mut story, 1, BUFFER, 16);
    story.totals(1, 16, 0).wait(SECOND);
    exclusive(&mut story, true);
    story
}

fn pin(story: &mut Story, extent: u32, address: u64, pages: u64) {
    story.tell(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(extent),
        account: AccountId(1),
        address,
        end: address + pages * PAGE,
        pages,
        bytes_held: pages * PAGE,
        stack: Some(StackId(1)),
        space: MM,
        ..ExtentOpened::default()
    }));
}

/// A kernel that keeps exclusive pages from being copied, or one that does not.
fn exclusive(story: &mut Story, exclusive: bool) {
    for event in &mut story.events {
        if let Body::Started(started) = &mut event.body {
            started.exclusive_pages = exclusive;
        }
    }
}

/// Pages `first` to `last` of the buffer, the last one not included.
fn touch(story: &mut Story, what: Touch, first: u64, last: u64) {
    touch_counted(story, what, first..last, 0);
}

fn touch_counted(story: &mut Story, what: Touch, pages: std::ops::Range<u64>, counted: u64) {
    story.tell(Body::Touched(Touched {
        space: MM,
        what,
        address: BUFFER + pages.start * PAGE,
        end: BUFFER + pages.end * PAGE,
        pages: counted,
        pid: Pid(7),
        tid: Tid(9),
        comm: "toucher".into(),
        stack: Some(StackId(2)),
        doubtful: false,
    }));
}

fn findings(story: &Story) -> Vec<Finding> {
    let snapshot = snapshot(story);
    assert_eq!((snapshot.unfolded, snapshot.findings_dropped), (0, 0));
    snapshot.findings
}

fn only(story: &Story) -> Finding {
    let mut findings = findings(story);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn a_mapping_that_is_unmapped_under_a_pin_is_found_with_both_sides() {
    let mut story = pinned();
    touch(&mut story, Touch::Munmap, 4, 32);
    let found = only(&story);
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
    let touch = found.touch.unwrap();
    assert_eq!(touch.what, TouchKind::Mapping(Touch::Munmap));
    assert_eq!(
        (touch.pid, touch.tid, touch.comm.as_str()),
        (Pid(7), Tid(9), "toucher")
    );
    assert_eq!(*touch.stack, ["do_munmap+0x42"]);
}

#[test]
fn what_lies_beside_the_pin_is_nobodys_business() {
    let mut story = pinned();
    touch(&mut story, Touch::Munmap, 16, 32);
    story.tell(Body::Touched(Touched {
        space: MM,
        address: BUFFER - 8 * PAGE,
        end: BUFFER,
        ..Touched::default()
    }));
    for space in [Space(0), Space(5)] {
        story.tell(Body::Touched(Touched {
            space,
            address: 0,
            end: u64::MAX,
            ..Touched::default()
        }));
    }
    assert!(findings(&story).is_empty());
}

#[test]
fn a_pin_that_came_after_the_touch_or_went_before_is_not_concerned() {
    let mut story = pinned();
    story.extent_closed(1, 16, 7);
    touch(&mut story, Touch::Munmap, 0, 16);
    pin(&mut story, 1, BUFFER, 16);
    touch(&mut story, Touch::Munmap, 0, 16);
    assert!(findings(&story).is_empty(), "opened at that very moment");
    story.wait(1);
    touch(&mut story, Touch::Munmap, 0, 16);
    assert_eq!(findings(&story).len(), 1);
}

#[test]
fn repeats_are_folded_and_pages_never_exceed_the_range() {
    let mut story = pinned();
    touch(&mut story, Touch::Free, 0, 2);
    story.wait(SECOND);
    touch(&mut story, Touch::Free, 6, 8);
    let found = only(&story);
    assert_eq!((found.count, found.pages), (2, 4));
    assert_eq!((found.address, found.end), (BUFFER, BUFFER + 8 * PAGE));
    assert_eq!((found.first, found.last), (Nanos(2 * SECOND), Nanos(3 * SECOND)));
    for _ in 0..9 {
        touch(&mut story, Touch::Free, 0, 8);
    }
    assert_eq!((only(&story).count, only(&story).pages), (11, 8));
    touch(&mut story, Touch::Munmap, 0, 8);
    assert_eq!(findings(&story).len(), 2, "another touch is another finding");
}

#[test]
fn one_touch_concerns_every_pin_in_its_range() {
    let mut story = pinned();
    pin(&mut story, 2, BUFFER + 64 * PAGE, 4);
    pin(&mut story, 3, BUFFER + 65 * PAGE, 1);
    story.wait(1);
    touch(&mut story, Touch::Munmap, 0, 66);
    let found = only(&story);
    assert_eq!((found.count, found.pages), (1, 19));
    assert_eq!((found.address, found.end), (BUFFER, BUFFER + 66 * PAGE));
}

#[test]
fn a_pin_that_has_grown_or_shrunk_is_concerned_as_far_as_it_goes() {
    let mut story = pinned();
    let sample = |end, pages_held| {
        Body::ExtentSampled(ExtentSampled {
            extent: ExtentId(1),
            end,
            pages: 32,
            pages_held,
            ..ExtentSampled::default()
        })
    };
    story.tell(sample(BUFFER + 32 * PAGE, 32));
    touch(&mut story, Touch::Munmap, 30, 40);
    assert_eq!(only(&story).pages, 2);
    story.tell(sample(BUFFER + 32 * PAGE, 3));
    touch(&mut story, Touch::Dontneed, 0, 32);
    assert_eq!(findings(&story)[0].pages, 3, "no more than are held");
    story.tell(sample(BUFFER + 32 * PAGE, 0));
    touch(&mut story, Touch::Mremap, 0, 32);
    assert_eq!(findings(&story).len(), 2);
}

#[test]
fn each_touch_is_as_bad_as_what_it_does_to_the_pages() {
    use Severity::{Hazard, Note};
    let severity = |what, exclusive, file| {
        let mut story = pinned();
        for event in &mut story.events {
            match &mut event.body {
                Body::Started(started) => started.exclusive_pages = exclusive,
                Body::ExtentOpened(opened) => opened.file = file,
                _ => {}
            }
        }
        touch(&mut story, what, 0, 16);
        only(&story).severity
    };
    for what in [
        Touch::Munmap,
        Touch::MmapOver,
        Touch::Dontneed,
        Touch::Brk,
        Touch::Unmap,
    ] {
        assert_eq!(severity(what, true, Space(0)), Hazard);
    }
    for what in [Touch::Mremap, Touch::Free, Touch::SoftDirty, Touch::Fork] {
        assert_eq!(severity(what, false, Space(0)), Note);
    }
    for what in [Touch::Mprotect, Touch::UffdWp] {
        assert_eq!(severity(what, false, Space(0)), Hazard);
        assert_eq!(severity(what, true, Space(0)), Note);
        assert_eq!(severity(what, false, FILE), Note, "written in place");
    }
    assert_eq!(
        severity(Touch::Dontneed, true, FILE),
        Note,
        "the same pages come back"
    );
}

#[test]
fn pages_that_the_kernel_counts_are_taken_from_it() {
    let mut story = pinned();
    touch_counted(&mut story, Touch::Fork, 0..16, 5);
    touch_counted(&mut story, Touch::Mprotect, 0..4, 64);
    let found = findings(&story);
    let by = |kind| found.iter().find(|found| found.kind == kind).unwrap();
    assert_eq!(by(FindingKind::ForkCopiedPinned).pages, 5);
    assert_eq!(by(FindingKind::ForkCopiedPinned).count, 1);
    assert_eq!(by(FindingKind::MappingTouched).pages, 4);
}

#[test]
fn truncation_is_found_by_the_place_in_the_file() {
    let mut story = pinned();
    story.tell(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(1),
        address: BUFFER << 4,
        end: (BUFFER << 4) + 8 * PAGE,
        pages: 8,
        file: FILE,
        file_offset: 2 * PAGE,
        ..ExtentOpened::default()
    }));
    story.wait(1);
    let truncate = |from: u64| {
        Body::Touched(Touched {
            space: FILE,
            what: Touch::Truncate,
            address: from * PAGE,
            end: u64::MAX,
            ..Touched::default()
        })
    };
    story.tell(truncate(10));
    assert!(findings(&story).is_empty(), "the file goes on behind the pin");
    story.tell(truncate(7));
    let found = only(&story);
    assert_eq!((found.address, found.end, found.pages), (7 * PAGE, 10 * PAGE, 3));
    assert_eq!(found.severity, Severity::Hazard);
}

#[test]
fn a_pin_that_outlives_its_address_space_is_found_after_a_second() {
    let mut story = pinned();
    story.tell(Body::SpaceEnded(MM)).wait(SECOND - 1).tick();
    assert!(findings(&story).is_empty());
    story.wait(1).tick();
    let found = only(&story);
    assert_eq!(
        (found.kind, found.severity),
        (FindingKind::PinOutlivesMm, Severity::Hazard)
    );
    assert_eq!((found.first, found.last), (Nanos(2 * SECOND), Nanos(3 * SECOND)));
    assert_eq!((found.pages, found.count, found.pid), (16, 1, Pid(7)));
    story.wait(SECOND).tick().extent_closed(1, 16, 7).tick();
    assert_eq!((only(&story).count, only(&story).last), (1, Nanos(4 * SECOND)));
}

#[test]
fn a_pin_that_goes_soon_after_its_address_space_is_none_of_those() {
    let mut story = pinned();
    story
        .tell(Body::SpaceEnded(MM))
        .wait(SECOND / 2)
        .extent_closed(1, 16, 7);
    story.wait(SECOND).tick();
    assert!(findings(&story).is_empty());
}

#[test]
fn a_later_address_space_of_the_same_number_is_another() {
    let mut story = pinned();
    story.tell(Body::SpaceEnded(MM));
    pin(&mut story, 2, BUFFER, 2);
    story.wait(1);
    touch(&mut story, Touch::Munmap, 0, 16);
    assert_eq!(only(&story).pages, 2, "the old one cannot be touched any more");
    story.wait(SECOND).tick();
    let kinds: Vec<_> = findings(&story)
        .iter()
        .map(|found| (found.kind, found.pages))
        .collect();
    assert_eq!(
        kinds,
        [(FindingKind::PinOutlivesMm, 16), (FindingKind::MappingTouched, 2)]
    );
}

fn copies() -> CopiesSampled {
    CopiesSampled {
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
        ..CopiesSampled::default()
    }
}

#[test]
fn a_copy_of_a_pinned_page_is_an_alarm_where_the_kernel_should_make_none() {
    let of = |exclusive: bool, change: fn(&mut CopiesSampled)| {
        let mut copies = copies();
        change(&mut copies);
        let mut story = pinned();
        self::exclusive(&mut story, exclusive);
        story.tell(Body::CopiesSampled(copies));
        let found = only(&story);
        (found.severity, found.touch.unwrap().what)
    };
    assert_eq!(of(true, |_| {}), (Severity::Alarm, TouchKind::Write));
    assert_eq!(of(false, |_| {}), (Severity::Hazard, TouchKind::Write));
    assert_eq!(
        of(true, |copies| copies.anonymous = false),
        (Severity::Hazard, TouchKind::Write)
    );
    assert_eq!(
        of(true, |copies| copies.unshare = true),
        (Severity::Note, TouchKind::Unshare)
    );
}

#[test]
fn copies_have_the_evidence_of_their_extent_also_when_it_is_closed() {
    let mut story = pinned();
    story.extent_closed(1, 16, 7).tell(Body::CopiesSampled(copies()));
    let found = only(&story);
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
fn a_later_sample_of_copies_replaces_the_earlier_and_keeps_the_evidence() {
    let mut story = pinned();
    story
        .tell(Body::CopiesSampled(copies()))
        .extent_closed(1, 16, 7)
        .totals(1, 16, 16)
        .account_closed(1)
        .tell(Body::CopiesSampled(CopiesSampled {
            copies: 5,
            in_window: 1,
            ..copies()
        }));
    let snapshot = snapshot(&story);
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
    let mut story = pinned();
    for event in &mut story.events {
        if let Body::ExtentOpened(opened) = &mut event.body {
            opened.stack = None;
        }
    }
    touch(&mut story, Touch::Munmap, 0, 1);
    assert!(only(&story).pin.unwrap().stack.is_empty());
    story.tell(Body::ExtentSampled(ExtentSampled {
        extent: ExtentId(1),
        end: BUFFER + 16 * PAGE,
        pages: 16,
        pages_held: 16,
        stack: Some(StackId(1)),
        ..ExtentSampled::default()
    }));
    assert_eq!(*only(&story).pin.unwrap().stack, ["io_pin_pages+0x42"]);
}

#[test]
fn a_full_table_gives_up_notes_for_alarms_and_counts_both_ways() {
    let mut story = Story::begin();
    exclusive(&mut story, true);
    let pins = u32::try_from(limits::FINDINGS).unwrap() + 10;
    for one in 0..pins {
        let address = BUFFER + u64::from(one) * PAGE;
        story.account(one + 1, 7, 7 + one, IO_PIN_PAGES, true);
        story.tell(Body::ExtentOpened(ExtentOpened {
            extent: ExtentId(one),
            account: AccountId(one + 1),
            address,
            end: address + PAGE,
            pages: 1,
            bytes_held: PAGE,
            space: MM,
            ..ExtentOpened::default()
        }));
    }
    story.wait(1);
    touch(&mut story, Touch::Mremap, 0, u64::from(pins));
    let mut model = fold(&story);
    let full = model.snapshot();
    assert_eq!(
        (full.findings.len(), full.findings_dropped),
        (limits::FINDINGS, 10)
    );
    let alarm = Body::CopiesSampled(copies());
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
fn shrink(story: &mut Story, left: u64) {
    story
        .tell(Body::ExtentShrinks(ExtentShrinks {
            extent: ExtentId(1),
            doubtful: false,
        }))
        .wait(SECOND)
        .tell(Body::ExtentSampled(ExtentSampled {
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
    let mut story = pinned();
    shrink(&mut story, 8);
    story.wait(1);
    touch(&mut story, Touch::Munmap, 6, 16);
    assert!(!only(&story).certain);
}

#[test]
fn of_a_pin_that_was_released_in_part_only_what_is_sure_is_a_hazard() {
    let mut story = pinned();
    shrink(&mut story, 8);
    touch(&mut story, Touch::Munmap, 0, 8);
    let found = only(&story);
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
    let mut story = pinned();
    shrink(&mut story, 8);
    touch(&mut story, Touch::Munmap, 6, 16);
    let found = only(&story);
    assert_eq!(
        (found.severity, found.certain, found.pages),
        (Severity::Hazard, true, 2)
    );
}

#[test]
fn what_is_sure_and_what_is_not_are_told_apart() {
    let mut story = pinned();
    shrink(&mut story, 8);
    touch(&mut story, Touch::Munmap, 0, 1);
    shrink(&mut story, 8);
    touch(&mut story, Touch::Munmap, 1, 16);
    let findings = findings(&story);
    let told: Vec<_> = findings
        .iter()
        .map(|found| (found.severity, found.certain, found.pages, found.count))
        .collect();
    assert_eq!(
        told,
        [(Severity::Hazard, true, 7, 1), (Severity::Note, false, 1, 1)]
    );
}

#[test]
fn nothing_is_sure_after_loss_nor_where_a_release_was_given_by_rule() {
    let mut story = pinned();
    story.tell(Body::ExtentShrinks(ExtentShrinks {
        extent: ExtentId(1),
        doubtful: true,
    }));
    touch(&mut story, Touch::Munmap, 0, 16);
    assert!(!only(&story).certain);
    let mut story = pinned();
    story.tell(Body::Touched(Touched {
        space: MM,
        what: Touch::Munmap,
        address: BUFFER,
        end: BUFFER + PAGE,
        doubtful: true,
        ..Touched::default()
    }));
    assert!(!only(&story).certain);
}

#[test]
fn a_file_that_is_gone_is_not_taken_for_the_next() {
    let mut story = pinned();
    story.tell(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(1),
        end: 4 * PAGE,
        pages: 4,
        bytes_held: 4 * PAGE,
        file: FILE,
        ..ExtentOpened::default()
    }));
    story.wait(1).tell(Body::FileEnded(FILE));
    story.tell(Body::Touched(Touched {
        space: FILE,
        what: Touch::Truncate,
        end: 4 * PAGE,
        ..Touched::default()
    }));
    assert_eq!(findings(&story), []);
}

#[test]
fn each_of_two_pins_on_the_same_pages_is_touched() {
    let mut story = pinned();
    story.account(2, 7, 9, IO_PIN_PAGES, true);
    story.tell(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(2),
        address: BUFFER,
        end: BUFFER + 16 * PAGE,
        pages: 16,
        bytes_held: 16 * PAGE,
        space: MM,
        ..ExtentOpened::default()
    }));
    story.wait(1);
    touch_counted(&mut story, Touch::Mprotect, 0..16, 16);
    let pages: Vec<_> = findings(&story).iter().map(|found| found.pages).collect();
    assert_eq!(pages, [16, 16]);
}

#[test]
fn what_was_unmapped_is_not_touched_again_by_what_takes_its_place() {
    let mut story = pinned();
    touch(&mut story, Touch::Munmap, 4, 8);
    story.wait(SECOND);
    touch(&mut story, Touch::Munmap, 4, 8);
    let found = only(&story);
    assert_eq!((found.pages, found.count, found.last), (4, 1, Nanos(2 * SECOND)));
    touch(&mut story, Touch::Mprotect, 0, 16);
    let findings = findings(&story);
    let protected = findings
        .iter()
        .find(|found| found.severity == Severity::Note)
        .unwrap();
    assert_eq!((protected.address, protected.end), (BUFFER, BUFFER + 16 * PAGE));
    assert_eq!(protected.pages, 12);
}

#[test]
fn a_copy_of_what_somebody_has_a_reference_to_is_a_finding_of_its_own() {
    let mut story = pinned();
    story.tell(Body::CopiesSampled(CopiesSampled {
        id: 9,
        account: AccountId(0),
        reference: Some(Reference {
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
    let found = only(&story);
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
    let mut story = pinned();
    story.account(2, 7, 8, IO_PIN_PAGES, false);
    story.tell(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(2),
        address: BUFFER + 64 * PAGE,
        end: BUFFER + 66 * PAGE,
        pages: 2,
        bytes_held: 2 * PAGE,
        space: MM,
        ..ExtentOpened::default()
    }));
    story.wait(SECOND);
    touch(&mut story, Touch::Munmap, 64, 66);
    let found = only(&story);
    assert_eq!((found.severity, found.pages), (Severity::Hazard, 2));
    assert!(!found.pin.unwrap().longterm);
}
