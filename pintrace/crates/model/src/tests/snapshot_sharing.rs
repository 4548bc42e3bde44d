//! Tests of snapshots that share rows with earlier snapshots.

use std::sync::Arc;

use proptest::prelude::*;

use pintrace_events::Event;
use pintrace_testing::arbitrary;
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES};

use crate::Model;

/// Applies events and forgets processes at some of them. Takes a snapshot after each event whose bit is set in
/// `snapshots`.
fn folded(events: &[Event], snapshots: u64) -> Model {
    let mut model = Model::default();
    for (index, event) in events.iter().enumerate() {
        model.apply(event);
        if index % 16 == 7 {
            model.forget_ended(index % 3);
        }
        if snapshots >> (index % 64) & 1 != 0 {
            let _ = model.snapshot();
        }
    }
    model
}

proptest! {
    #[test]
    fn a_snapshot_that_shares_rows_equals_one_that_is_built_anew(
        events in arbitrary::long_stream(),
        snapshots in any::<u64>(),
    ) {
        prop_assert_eq!(folded(&events, snapshots).snapshot(), folded(&events, 0).snapshot());
    }
}

#[test]
fn an_unchanged_process_is_shared_and_an_earlier_snapshot_stays() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 5, 5, IO_PIN_PAGES, true)
        .account(2, 6, 6, IO_PIN_PAGES, true)
        .extent(1, 1, 8, None)
        .extent(2, 2, 8, None);
    let mut model = folded(&builder.events, 0);
    let before = model.snapshot();
    let mut later = EventBuilder::default();
    later.extent(3, 2, 8, None).extent_closed(2, 8, 6);
    for event in &later.events {
        model.apply(event);
    }
    let after = model.snapshot();
    assert!(Arc::ptr_eq(&before.processes[0], &after.processes[0]));
    let extents = |snapshot: &crate::snapshot::Snapshot| -> Vec<u32> {
        let extents = snapshot.processes[1].open_extents.iter();
        extents.map(|extent| extent.extent.0).collect()
    };
    assert_eq!((extents(&before), extents(&after)), (vec![2], vec![3]));
}

/// Control: a model without snapshots keeps no lists of changes. With snapshots, the lists are bounded.
#[test]
fn lists_of_changes_are_bounded() {
    let mut churn = EventBuilder::begin();
    churn.account(1, 5, 5, IO_PIN_PAGES, true);
    for _ in 0..70_000 {
        churn.extent(1, 1, 8, None).extent_closed(1, 8, 5);
    }
    let mut model = Model::default();
    let _ = model.snapshot();
    for event in &churn.events {
        model.apply(event);
    }
    assert!(model.pins.changes.everything);
    let snapshot = model.snapshot();
    assert_eq!(snapshot.processes[0].extents, 0);
    assert!(!model.pins.changes.everything);
    assert!(folded(&churn.events, 0).pins.changes.extents.is_empty());
}
