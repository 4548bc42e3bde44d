//! Tests of what a snapshot says about one extent, and about accounts without extents.

use std::cmp::Ordering;

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId};
use pintrace_events::{AccountOpened, AccountSampled, Body, ExtentMarked, ExtentOpened, FileId};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, PROCESS_VM_RW, SECOND};

use super::{fold, process, snapshot};
use crate::field::{self, Value};

/// The return address of a pin function, and that of its caller in a module.
const PIN_FUNCTION: u64 = 0xffff_ffff_8100_0010;
const MY_IOCTL: u64 = 0xffff_ffff_c000_0010;

/// The account of process 7 pins 8 pages on file 40.
fn on_file(extent: u32, descriptor: Option<u32>) -> Body {
    Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(extent),
        account: AccountId(1),
        address: 0x1000 * u64::from(extent),
        end: 0x1000 * u64::from(extent + 8),
        pages: 8,
        file: FileId(40),
        descriptor,
        ..ExtentOpened::default()
    })
}

/// Process 7 pins 8 pages on descriptor 5 of file 40 by extent 1.
fn pinned_on_a_file() -> EventBuilder {
    let mut builder = EventBuilder::begin();
    builder
        .symbol(PIN_FUNCTION, "pin_user_pages_fast", "")
        .symbol(MY_IOCTL, "my_ioctl", "my_driver")
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .stack(3, &[PIN_FUNCTION, MY_IOCTL])
        .account(1, 7, 7, IO_PIN_PAGES, true)
        .emit(on_file(1, Some(5)))
        .totals(1, 8, 0);
    builder
}

#[test]
fn a_mark_and_a_released_file_reach_an_extent_that_was_shown() {
    let mut model = fold(&pinned_on_a_file());
    let extent = model.snapshot().processes[0].open_extents[0].clone();
    assert_eq!(
        (extent.file, extent.file_released, extent.partially_released),
        (FileId(40), false, false)
    );
    let mut later = EventBuilder::default();
    later
        .wait(2 * SECOND)
        .emit(Body::ExtentMarked(ExtentMarked {
            extent: ExtentId(1),
            partially_released: true,
            ..ExtentMarked::default()
        }))
        .emit(Body::FileReleased(FileId(40)));
    later.events.iter().for_each(|event| model.apply(event));
    let extent = model.snapshot().processes[0].open_extents[0].clone();
    assert!(extent.file_released && extent.partially_released);
}

#[test]
fn an_extent_keeps_the_descriptor_on_which_it_was_pinned() {
    let mut builder = pinned_on_a_file();
    builder
        .emit(on_file(2, Some(7)))
        .emit(on_file(3, None))
        .emit(Body::FileReleased(FileId(40)));
    let snapshot = snapshot(&builder);
    let extents = process(&snapshot, 7).open_extents.iter();
    let descriptors: Vec<_> = extents.map(|extent| extent.descriptor).collect();
    assert_eq!(descriptors, [Some(5), Some(7), None]);
}

#[test]
fn the_caller_of_an_extent_is_the_function_that_called_the_pin_function() {
    let mut builder = pinned_on_a_file();
    builder
        .account(2, 8, 8, 0, true)
        .extent(2, 2, 4, Some(3))
        .account(3, 9, 9, 0, true)
        .extent(3, 3, 4, None);
    let snapshot = snapshot(&builder);
    let caller = |pid| process(&snapshot, pid).open_extents[0].caller.to_string();
    let callers = [7, 8, 9].map(caller);
    assert_eq!(callers, ["io_pin_pages", "my_ioctl [my_driver]", ""]);
}

#[test]
fn a_caller_without_a_symbol_is_an_address_until_its_symbol_arrives() {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, MY_IOCTL, true).extent(1, 1, 4, None);
    let mut model = fold(&builder);
    assert_eq!(
        &*model.snapshot().processes[0].open_extents[0].caller,
        "0xffffffffc0000010"
    );
    let mut later = EventBuilder::default();
    later.symbol(MY_IOCTL, "my_ioctl", "");
    later.events.iter().for_each(|event| model.apply(event));
    assert_eq!(&*model.snapshot().processes[0].open_extents[0].caller, "my_ioctl");
}

#[test]
fn accounts_that_hold_pages_without_an_extent_are_listed() {
    let mut builder = pinned_on_a_file();
    builder
        .account(2, 7, 7, PROCESS_VM_RW, false)
        .totals(2, 20, 4)
        .account(3, 7, 7, PROCESS_VM_RW, false)
        .totals(3, 6, 6)
        .emit(Body::AccountOpened(AccountOpened {
            account: AccountId(4),
            pid: Pid(7),
            from_scan: true,
            likely_subsystem: "vfio".into(),
            stack: Some(StackId(3)),
            ..AccountOpened::default()
        }))
        .emit(Body::AccountSampled(AccountSampled {
            account: AccountId(4),
            acquired: 3,
            ..AccountSampled::default()
        }));
    let snapshot = snapshot(&builder);
    let process = process(&snapshot, 7);
    let held: Vec<_> = process.held_accounts.iter().collect();
    let pages: Vec<_> = held.iter().map(|one| (one.account.0, one.pages_held)).collect();
    assert_eq!(pages, [(2, 16), (4, 3)]);
    assert!(held[0].since.is_some() && held[1].since.is_none());
    assert_eq!(process.pages_held, 8 + 16 + 3);
}

#[test]
fn pins_that_a_scan_found_are_older_than_the_session_and_rank_before_all_others() {
    let older = |mode: &str| {
        let mut builder = pinned_on_a_file();
        builder
            .emit(Body::AccountOpened(AccountOpened {
                account: AccountId(4),
                pid: Pid(9),
                from_scan: true,
                ..AccountOpened::default()
            }))
            .emit(Body::AccountSampled(AccountSampled {
                account: AccountId(4),
                acquired: 3,
                held_since: Nanos(1),
                ..AccountSampled::default()
            }));
        for event in &mut builder.events {
            if let Body::Started(started) = &mut event.body {
                mode.clone_into(&mut started.mode);
            }
        }
        snapshot(&builder)
    };
    let column = field::process::column("oldest").unwrap();
    let traced = older("both");
    let [seen, found] = [7, 9].map(|pid| process(&traced, pid));
    assert!(matches!((column.value)(seen), Value::Since(_)));
    assert_eq!((column.value)(found), Value::Before(Nanos(1)));
    assert_eq!(field::process::rank(column, found, seen), Ordering::Less);
    let shown = (column.value)(found).at(Nanos(34_000_000_001));
    assert_eq!(shown, Value::MoreThan(Nanos(34_000_000_000)));
    assert_eq!(shown.text(), ">34s");

    let scanned = older("scan");
    assert_eq!((column.value)(process(&scanned, 9)), Value::Absent);
}
