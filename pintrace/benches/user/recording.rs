//! Recordings: events encoded, written to a file, and read.

use std::hint::black_box;
use std::io;

use anyhow::Context as _;
use pintrace_events::Event;
use pintrace_record::{Existing, Reader, Recording, Writer};
use pintrace_testing::event_builder::EventBuilder;

use super::events::processes;
use crate::measure::stage;

/// Processes of the stream.
const PROCESSES: u32 = 100;
/// Ticks of the stream. Each tick samples each account and ends a frame.
const TICKS: u64 = 100;

/// Measures the three stages over one stream.
pub(crate) fn measure() -> anyhow::Result<()> {
    let events = stream();
    let count = events.len() as u64;
    let encoder = || Ok(Writer::new(io::sink())?);
    stage("encode", count, encoder, |writer| {
        for event in &events {
            writer.append(event)?;
        }
        Ok(())
    })?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let file = folder.path().join("bench.pintrace");
    let create = || Ok(Recording::create(&file, Existing::Replace)?);
    stage("write", count, create, |recording| {
        for event in &events {
            recording.append(event)?;
        }
        Ok(recording.finish()?)
    })?;
    let bytes = std::fs::read(&file).context("cannot read the recording")?;
    stage(
        "read",
        count,
        || Ok(()),
        |()| {
            for event in Reader::new(&bytes[..])? {
                black_box(event?);
            }
            Ok(())
        },
    )
}

fn stream() -> Vec<Event> {
    let mut builder: EventBuilder = processes(PROCESSES);
    for tick in 1..=TICKS {
        for account in 1..=PROCESSES {
            builder
                .totals(account, tick * 64, (tick - 1) * 64)
                .extent(account, account, 64, Some(1))
                .extent_closed(account, 64, 1);
        }
        builder.balance(tick * 64, 0).tick();
    }
    builder.stop(None);
    builder.events
}
