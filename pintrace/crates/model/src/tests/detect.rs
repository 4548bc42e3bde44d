//! Tests of findings: one module per detector, with a common fixture.

mod cow;
mod finding_table;
mod flush_window;
mod foll_get;
mod fork;
mod mapping_change;
mod missing_longterm;
mod not_exclusive;
mod partial_release;
mod pin_outlives_mm;
mod truncate;

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};
use pintrace_events::{
    AddressSpaceId, Body, CowSampled, ExtentOpened, FileId, MappingChange, MappingChanged, MmId, RangeIn,
};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, SECOND};

use crate::finding::Finding;
use crate::tests::snapshot;

const PAGE: u64 = 4096;
const BUFFER: u64 = 0x10_0000;
const MM: MmId = MmId(0xffff_8880_1234_0000);
const FILE: AddressSpaceId = AddressSpaceId(0xffff_8880_5678_0000);

/// The io_uring that pinned.
const RING: FileId = FileId(0xffff_8880_9abc_0000);

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
        file: RING,
        ..ExtentOpened::default()
    }));
}

/// Sets whether the kernel never copies exclusive pages.
fn exclusive(builder: &mut EventBuilder, exclusive: bool) {
    for event in &mut builder.events {
        if let Body::Started(started) = &mut event.body {
            started.exclusive_pages = exclusive;
        }
    }
}

/// Changes the mapping of pages `first..last` of the buffer.
fn change(builder: &mut EventBuilder, what: MappingChange, first: u64, last: u64) {
    change_counted(builder, what, first..last, 0);
}

fn change_counted(
    builder: &mut EventBuilder,
    what: MappingChange,
    pages: std::ops::Range<u64>,
    counted: u64,
) {
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

fn only_finding(builder: &EventBuilder) -> Finding {
    let mut findings = findings(builder);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
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
