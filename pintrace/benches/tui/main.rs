//! `cargo xtask bench tui`: the time to draw one frame of the live view, on this machine, by size of the terminal and by
//! number of processes.

#[path = "../measure/mod.rs"]
#[expect(dead_code, reason = "only the benchmark of user space measures memory")]
mod measure;

use std::sync::Arc;

use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, finding_fixtures};
use pintrace_tui::bench::MemoryView;

use measure::stage;

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
    frames("200x50, help", &holders(1000), (200, 50), "?")
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
