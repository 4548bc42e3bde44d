//! `cargo xtask bench user`: the work of user space on one event, on this machine: decoding a record, turning it into an
//! event, folding the event into the model, and writing and reading a recording.

#[path = "../measure/mod.rs"]
mod measure;

mod events;
mod recording;
mod records;
mod snapshots;

fn main() -> anyhow::Result<()> {
    // Arguments are ignored: `cargo bench` passes --bench.
    measure::reference()?;
    records::measure()?;
    events::measure()?;
    snapshots::measure()?;
    recording::measure()
}
