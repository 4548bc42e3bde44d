//! The memory of a process that follows many extents.

use std::fs;
use std::hint::black_box;

use anyhow::Context as _;
use pintrace_source::ledger::Ledger;

use super::{records, snapshots};

/// Open extents.
const EXTENTS: u32 = 1_000_000;

/// Measures the resident memory of this process with a tracker, a model and a snapshot of all extents, and prints:
/// `memory`, name, bytes.
pub(crate) fn measure(ledger: &Ledger) -> anyhow::Result<()> {
    let tracker = records::tracker_with(EXTENTS, ledger)?;
    let mut model = snapshots::model_with(EXTENTS);
    let snapshot = model.snapshot();
    println!("memory\tresident, {EXTENTS} extents\t{}", resident()?);
    black_box((tracker, model, snapshot));
    Ok(())
}

/// Returns the resident memory of this process in bytes.
fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("/proc/self/status has no VmRSS")? * 1024)
}
