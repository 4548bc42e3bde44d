//! Tests of the calls in flight.

use pintrace_events::units::{AccountId, Pid, StackId};
use pintrace_events::{Body, CallInFlight, CallsInFlight};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, SECOND};

use crate::subsystem::Subsystem;
use crate::tests::snapshot;

/// Returns the subsystem of a call by a thread that has an account of io_uring.
fn subsystem_of(account: Option<AccountId>, stack: Option<StackId>) -> Subsystem {
    const VFIO: u64 = 0xffff_ffff_c000_2000;
    let mut builder = EventBuilder::begin();
    builder
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .symbol(VFIO, "vaddr_get_pfns", "vfio_iommu_type1")
        .stack(2, &[VFIO])
        .process(7, "qemu")
        .account(1, 7, 7, IO_PIN_PAGES, true)
        .wait(60 * SECOND)
        .emit(Body::CallsInFlight(CallsInFlight {
            calls: vec![CallInFlight {
                account,
                stack,
                pid: Pid(7),
                wanted: 1 << 20,
                ..CallInFlight::default()
            }],
            number: 1,
        }));
    snapshot(&builder).calls_in_flight[0].subsystem
}

#[test]
fn the_stack_of_a_call_names_its_subsystem() {
    assert_eq!(
        subsystem_of(Some(AccountId(1)), Some(StackId(2))),
        Subsystem::Vfio
    );
    assert_eq!(subsystem_of(None, Some(StackId(2))), Subsystem::Vfio);
}

#[test]
fn a_call_without_a_stack_has_the_subsystem_of_its_account() {
    assert_eq!(subsystem_of(Some(AccountId(1)), None), Subsystem::IoUring);
    assert_eq!(subsystem_of(None, None), Subsystem::Other);
}
