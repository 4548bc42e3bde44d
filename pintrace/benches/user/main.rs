//! `cargo xtask bench user`: the work of user space on one event, on this machine: decoding a record, turning it into an
//! event, folding the event into the model, and writing and reading a recording. How these grow with
//! the number of extents and processes.

#[path = "../measure/mod.rs"]
mod measure;

mod events;
mod recording;
mod records;
mod resident;
mod snapshots;

fn main() -> anyhow::Result<()> {
    // Arguments are ignored: `cargo bench` passes --bench.
    measure::reference()?;
    let ledger = records::ledger()?;
    // First, because other measurements leave memory to the allocator.
    resident::measure(&ledger)?;
    records::measure(&ledger)?;
    events::measure()?;
    snapshots::measure()?;
    recording::measure()
}
