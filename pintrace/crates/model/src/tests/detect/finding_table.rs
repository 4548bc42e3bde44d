//! Tests of the table of findings.

use pintrace_events::units::{AccountId, ExtentId, Nanos, StackId};
use pintrace_events::{Body, ExtentOpened, ExtentSampled, MappingChange};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, SECOND};

use crate::finding::Severity;
use crate::limits;
use crate::tests::fold;

use super::{BUFFER, MM, PAGE, change, copies, exclusive, only_finding, pinned};

#[test]
fn a_late_stack_reaches_the_finding() {
    let mut builder = pinned();
    for event in &mut builder.events {
        if let Body::ExtentOpened(opened) = &mut event.body {
            opened.stack = None;
        }
    }
    change(&mut builder, MappingChange::Munmap, 0, 1);
    assert!(only_finding(&builder).pin.unwrap().stack.is_empty());
    builder.emit(Body::ExtentSampled(ExtentSampled {
        extent: ExtentId(1),
        end: BUFFER + 16 * PAGE,
        pages: 16,
        pages_held: 16,
        stack: Some(StackId(1)),
        ..ExtentSampled::default()
    }));
    assert_eq!(*only_finding(&builder).pin.unwrap().stack, ["io_pin_pages+0x42"]);
}

#[test]
fn a_full_table_drops_notes_for_alarms_and_counts_them() {
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
    change(&mut builder, MappingChange::Mremap, 0, u64::from(pins));
    let mut model = fold(&builder);
    let full = model.snapshot();
    assert_eq!(
        (full.findings.len(), full.findings_dropped),
        (limits::FINDINGS, 10)
    );
    let alarm = Body::CowSampled(Box::new(copies()));
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
