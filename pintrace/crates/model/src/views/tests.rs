//! Tests of the views: the sums of the rows are the sums of the snapshot.

mod large;
mod rows;
mod sums;
mod system;

use pintrace_events::Event;

use crate::Model;
use crate::snapshot::Snapshot;

fn snapshot(events: &[Event]) -> Snapshot {
    let mut model = Model::default();
    for event in events {
        model.apply(event);
    }
    model.snapshot()
}
