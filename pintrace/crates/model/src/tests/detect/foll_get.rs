//! Tests of copies of pages with a `FOLL_GET` reference.

use pintrace_events::units::{AccountId, Nanos, Pid, StackId, Tid};
use pintrace_events::{Body, CowSampled, FollGetReference};
use pintrace_testing::event_builder::SECOND;

use crate::finding::{FindingKind, Severity};

use super::{BUFFER, PAGE, copies, only_finding, pinned};

/// Four copies of pages with a reference of thread 8.
fn referenced(id: u32, read_under_way: bool) -> Body {
    Body::CowSampled(Box::new(CowSampled {
        id,
        account: AccountId(0),
        reference: Some(FollGetReference {
            taken: Nanos(SECOND),
            tid: Tid(8),
            pid: Pid(7),
            stack: Some(StackId(1)),
            read_under_way,
        }),
        extent: None,
        address: BUFFER,
        end: BUFFER + 4 * PAGE,
        copies: 4,
        pages: 4,
        first: Nanos(2 * SECOND),
        ..copies()
    }))
}

#[test]
fn a_copy_of_a_referenced_page_is_a_get_not_pin_finding() {
    let mut builder = pinned();
    builder.emit(referenced(9, false));
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.kind, finding.severity),
        (FindingKind::GetNotPin, Severity::Note)
    );
    assert_eq!((finding.pid, finding.comm.as_str()), (Pid(7), "app"));
    assert_eq!((finding.count, finding.pages), (4, 4));
    let pin = finding.pin.unwrap();
    assert!(pin.reference && !pin.longterm);
    assert_eq!((pin.tid, pin.age), (Tid(8), Nanos(SECOND)));
    assert!(
        pin.sentence().starts_with("a reference, by thread 8"),
        "{}",
        pin.sentence()
    );
    assert_eq!(*pin.stack, ["io_pin_pages+0x42"]);
}

/// Control: the test above, with a reference that may have been dropped.
#[test]
fn a_copy_of_a_page_into_which_direct_io_reads_is_a_hazard() {
    let mut builder = pinned();
    builder.emit(referenced(9, true));
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.kind, finding.severity, finding.certain),
        (FindingKind::GetNotPin, Severity::Hazard, true)
    );
    assert_eq!((finding.count, finding.pages), (4, 4));
}
