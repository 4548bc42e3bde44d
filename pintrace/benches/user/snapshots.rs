//! Snapshots, ticks, folds and memory of a model with many extents or many processes.

use std::hint::black_box;

use pintrace_events::units::{AccountId, ExtentId, Nanos, StackId};
use pintrace_events::{Body, Event, ExtentOpened, FileId, MmId};
use pintrace_model::Model;
use pintrace_testing::event_builder::{EventBuilder, SECOND};

use super::events::{model, processes};
use crate::measure::{memory, stage};

/// Processes that hold extents.
const PROCESSES: u32 = 100;
/// Numbers of open extents.
pub(crate) const EXTENTS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Numbers of processes.
const MANY_PROCESSES: [u32; 3] = [1_000, 10_000, 50_000];
/// Extents or processes that change between two snapshots.
const CHANGED: u32 = 100;
/// Extents that are opened and closed beside the open ones.
const CHURN: u32 = 1_000;

/// Measures all numbers of extents and processes.
pub(crate) fn measure() -> anyhow::Result<()> {
    for extents in EXTENTS {
        of_extents(extents)?;
    }
    for count in MANY_PROCESSES {
        of_processes(count)?;
    }
    Ok(())
}

/// Returns a model with many open extents.
pub(crate) fn model_with(extents: u32) -> Model {
    let mut model = model(&processes(PROCESSES).events);
    let mut one = EventBuilder::default();
    for extent in 1..=extents {
        one.events.clear();
        open(&mut one, extent);
        one.events.iter().for_each(|event| model.apply(event));
    }
    model
}

fn of_extents(extents: u32) -> anyhow::Result<()> {
    let mut model = memory(&format!("model, {extents} extents"), || model_with(extents));
    let first = memory(&format!("first snapshot, {extents} extents"), || model.snapshot());
    let mut churn = EventBuilder::default();
    for extent in extents + 1..=extents + CHURN {
        open(&mut churn, extent);
        churn.extent_closed(extent, 64, 1);
    }
    let name = format!("fold, with {extents} extents open");
    fold(&name, u64::from(2 * CHURN), &mut model, &churn)?;
    let mut changes = EventBuilder::default();
    for change in 0..CHANGED {
        let extent = 1 + change * (extents / CHANGED);
        changes.extent_closed(extent, 64, 1);
        open(&mut changes, extent);
    }
    snapshot(
        &format!("snapshot, {CHANGED} of {extents} extents changed"),
        &mut model,
        &changes,
    )?;
    drop(first);
    Ok(())
}

fn of_processes(count: u32) -> anyhow::Result<()> {
    let mut builder = processes(count);
    for account in 1..=count {
        builder
            .extent(account, account, 64, Some(1))
            .totals(account, 64, 0);
    }
    let mut model = memory(&format!("model, {count} processes"), || model(&builder.events));
    black_box(model.snapshot());
    // Rates need time between two ticks.
    let mut now = Nanos(0);
    stage(
        &format!("tick, {count} processes"),
        1,
        || Ok(()),
        |()| {
            now = Nanos(now.0 + SECOND);
            model.apply(&Event {
                time: now,
                body: Body::Tick,
            });
            Ok(())
        },
    )?;
    let mut changes = EventBuilder::default();
    for change in 0..CHANGED {
        changes.totals(1 + change * (count / CHANGED), 64, 0);
    }
    snapshot(
        &format!("snapshot, {CHANGED} of {count} processes changed"),
        &mut model,
        &changes,
    )
}

/// Opens an extent of anonymous memory that an open file pins.
fn open(builder: &mut EventBuilder, extent: u32) {
    let process = u64::from(extent % PROCESSES);
    let address = 0x7f00_0000_0000 + u64::from(extent) * (1 << 21);
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(extent),
        account: AccountId(extent % PROCESSES + 1),
        address,
        end: address + 64 * 4096,
        pages: 64,
        bytes_held: 64 * 4096,
        flags: 0x101,
        stack: Some(StackId(1)),
        mm: MmId(0xffff_8880_0000_0000 + process * 4096),
        file: FileId(0xffff_8881_0000_0000 + process * 4096),
        descriptor: Some(5),
        ..ExtentOpened::default()
    }));
}

fn fold(name: &str, operations: u64, model: &mut Model, events: &EventBuilder) -> anyhow::Result<()> {
    stage(
        name,
        operations,
        || Ok(()),
        |()| {
            events.events.iter().for_each(|event| model.apply(event));
            Ok(())
        },
    )
}

/// Measures one snapshot, with the fold of the changes before it. The last snapshot is held until the next one is there,
/// as in a view.
fn snapshot(name: &str, model: &mut Model, changes: &EventBuilder) -> anyhow::Result<()> {
    let mut shown = model.snapshot();
    stage(
        name,
        1,
        || Ok(()),
        |()| {
            changes.events.iter().for_each(|event| model.apply(event));
            shown = black_box(model.snapshot());
            Ok(())
        },
    )
}
