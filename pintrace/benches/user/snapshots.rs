//! Snapshots of a model with many extents, of which few have changed since the last snapshot.

use std::hint::black_box;

use pintrace_testing::event_builder::EventBuilder;

use super::events::{model, processes};
use crate::measure::stage;

/// Processes that hold extents.
const PROCESSES: u32 = 100;
/// Numbers of open extents.
const EXTENTS: [u32; 3] = [1_000, 10_000, 100_000];
/// Extents that change between two snapshots.
const CHANGED: u32 = 100;

/// Measures one snapshot, with the fold of the changes before it.
pub(crate) fn measure() -> anyhow::Result<()> {
    for extents in EXTENTS {
        let mut builder = processes(PROCESSES);
        for extent in 1..=extents {
            builder.extent(extent, extent % PROCESSES + 1, 64, Some(1));
        }
        let mut model = model(&builder.events);
        black_box(model.snapshot());
        let mut changes = EventBuilder::default();
        for extent in 1..=CHANGED {
            changes
                .extent_closed(extent, 64, 1)
                .extent(extent, extent % PROCESSES + 1, 64, Some(1));
        }
        let name = format!("snapshot, {CHANGED} of {extents} extents changed");
        stage(
            &name,
            1,
            || Ok(()),
            |()| {
                for event in &changes.events {
                    model.apply(event);
                }
                black_box(model.snapshot());
                Ok(())
            },
        )?;
    }
    Ok(())
}
