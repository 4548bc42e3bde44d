//! `cargo xtask bench tui`: the time to draw one frame of the live view, on this machine, by size of the terminal and by
//! number of processes.

#[path = "../measure/mod.rs"]
#[expect(dead_code, reason = "only the benchmark of user space measures memory")]
mod measure;
mod percentile;

use std::sync::Arc;

use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, finding_fixtures};
use pintrace_tui::bench::MemoryView;

use measure::stage;
use percentile::percentile;

/// Sizes of terminals: columns and rows.
const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (200, 50), (400, 100)];
/// Numbers of processes.
const PROCESSES: [u32; 3] = [10, 10_000, 50_000];
/// Frames of one run.
const FRAMES: u64 = 10;

/// A snapshot, and the snapshot that follows it.
type Snapshots = [Arc<Snapshot>; 2];

fn main() -> anyhow::Result<()> {
    // Arguments are ignored: `cargo bench` passes --bench.
    measure::reference()?;
    for (width, height) in SIZES {
        let name = format!("{width}x{height}, 1000 processes");
        frames(&name, &holders(1000), (width, height), "")?;
    }
    for processes in PROCESSES {
        let name = format!("200x50, {processes} processes");
        frames(&name, &holders(processes), (200, 50), "")?;
    }
    let findings = snapshot(&finding_fixtures());
    frames("200x50, findings", &[findings.clone(), findings], (200, 50), "f")?;
    frames("200x50, help", &holders(1000), (200, 50), "?")?;
    large("100,000 extents", 10_000, 10)?;
    large("6 processes of 16,384 extents", 6, 16_384)
}

/// Frames of one percentile.
const MANY_FRAMES: usize = 200;

/// Measures each view of `processes` with `extents` each. Of ten processes, one changes between two snapshots.
fn large(what: &str, processes: u32, extents: u32) -> anyhow::Result<()> {
    let mut model = Model::default();
    let mut stream = EventBuilder::begin();
    stream.symbol(IO_PIN_PAGES, "io_pin_pages", "");
    let numbers = 1..=processes;
    for number in numbers.clone() {
        stream
            .account(number, 1000 + number, 1000 + number, IO_PIN_PAGES, true)
            .process(1000 + number, "worker");
        for extent in 0..extents {
            stream.extent(number * extents + extent, number, 4, None);
        }
        stream.totals(number, 4 * u64::from(extents), 0);
    }
    let held = 4 * u64::from(extents) * u64::from(processes);
    stream.balance(held, 0).tick();
    let first = fold(&mut model, &mut stream);
    for number in numbers.filter(|number| number % 10 == 0) {
        stream.totals(number, 4 * u64::from(extents) + 1, 1);
    }
    stream.balance(held + 1_000, 1_000).tick();
    let second = fold(&mut model, &mut stream);
    stream.balance(held + 1_000, 1_000).tick();
    let third = fold(&mut model, &mut stream);
    for (digit, name) in VIEWS {
        let mut view = MemoryView::new(first.clone(), 200, 50)?;
        view.press(digit);
        percentile(&format!("{name}, {what}: frame, p99"), MANY_FRAMES, || {
            view.press('j');
            Ok(view.draw()?)
        })?;
        percentile(&format!("{name}, {what}: key to picture, p99"), 20, || {
            view.press('9');
            view.press(digit);
            Ok(view.draw()?)
        })?;
        let ticks = [
            ("tick", [&second, &first]),
            ("tick without changes", [&second, &third]),
        ];
        for (tick, snapshots) in ticks {
            let mut snapshots = snapshots.into_iter().cycle();
            percentile(&format!("{name}, {what}: {tick}, p99"), 20, || {
                if let Some(snapshot) = snapshots.next() {
                    view.take(Arc::clone(snapshot));
                }
                Ok(view.draw()?)
            })?;
        }
    }
    Ok(())
}

/// The views, by their keys.
const VIEWS: [(char, &str); 9] = [
    ('1', "processes"),
    ('2', "cgroups"),
    ('3', "holders"),
    ('4', "pins"),
    ('5', "call sites"),
    ('6', "findings"),
    ('7', "flush windows"),
    ('8', "pin calls"),
    ('9', "system"),
];

/// Applies the events of a stream to a model, and returns the snapshot.
fn fold(model: &mut Model, stream: &mut EventBuilder) -> Arc<Snapshot> {
    for event in std::mem::take(&mut stream.events) {
        model.apply(&event);
    }
    Arc::new(model.snapshot())
}

/// Measures frames, each of a new snapshot, after some keys.
fn frames(name: &str, snapshots: &Snapshots, (width, height): (u16, u16), keys: &str) -> anyhow::Result<()> {
    let view = || {
        let mut view = MemoryView::new(snapshots[0].clone(), width, height)?;
        for key in keys.chars() {
            view.press(key);
        }
        view.draw()?;
        Ok(view)
    };
    stage(name, FRAMES, view, |view| {
        for snapshot in snapshots.iter().cycle().take(FRAMES.try_into()?) {
            view.take(snapshot.clone());
            view.draw()?;
        }
        Ok(())
    })
}

/// Returns two snapshots of processes that hold pages.
fn holders(processes: u32) -> Snapshots {
    [64, 128].map(|pages| {
        let mut builder = EventBuilder::begin();
        builder.symbol(IO_PIN_PAGES, "io_pin_pages", "");
        for number in 1..=processes {
            builder
                .account(number, 1000 + number, 1000 + number, IO_PIN_PAGES, true)
                .process(1000 + number, "worker")
                .extent(number, number, pages, None)
                .totals(number, pages + u64::from(number), 0);
        }
        builder.balance(pages, 0).tick();
        snapshot(&builder)
    })
}

fn snapshot(stream: &EventBuilder) -> Arc<Snapshot> {
    let mut model = Model::default();
    for event in &stream.events {
        model.apply(event);
    }
    Arc::new(model.snapshot())
}
