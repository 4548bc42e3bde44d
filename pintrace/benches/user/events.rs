//! Events, folded into the model.

use pintrace_events::Event;
use pintrace_model::Model;
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES};

use crate::measure::stage;

/// Accounts that are sampled.
const ACCOUNTS: u32 = 100;
/// Samples of each account.
const SAMPLES: u64 = 200;
/// Extents that are opened and closed.
const EXTENTS: u32 = 10_000;

/// Measures samples of accounts, and extents that come and go.
pub(crate) fn measure() -> anyhow::Result<()> {
    let start = processes(ACCOUNTS).events;
    let mut samples = EventBuilder::default();
    for sample in 1..=SAMPLES {
        for account in 1..=ACCOUNTS {
            samples.totals(account, sample * 64, (sample - 1) * 64);
        }
    }
    let mut extents = EventBuilder::default();
    for extent in 1..=EXTENTS {
        extents
            .extent(extent, 1, 64, Some(1))
            .extent_closed(extent, 64, 1);
    }
    fold("fold, samples of accounts", &start, &samples.events)?;
    fold("fold, extents opened and closed", &start, &extents.events)
}

/// Returns the start of a stream with one account for each process.
pub(crate) fn processes(count: u32) -> EventBuilder {
    let mut builder = EventBuilder::begin();
    builder
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .stack(1, &[IO_PIN_PAGES]);
    for number in 1..=count {
        builder
            .account(number, 1000 + number, 1000 + number, IO_PIN_PAGES, true)
            .process(1000 + number, "worker");
    }
    builder
}

/// Returns the model after these events.
pub(crate) fn model(events: &[Event]) -> Model {
    let mut model = Model::default();
    for event in events {
        model.apply(event);
    }
    model
}

fn fold(name: &str, start: &[Event], events: &[Event]) -> anyhow::Result<()> {
    // The events are applied once before, so that the tables have their final size: the steady state is measured.
    let prepare = || {
        let mut model = model(start);
        for event in events {
            model.apply(event);
        }
        Ok(model)
    };
    stage(name, events.len() as u64, prepare, |model| {
        for event in events {
            model.apply(event);
        }
        Ok(())
    })
}
