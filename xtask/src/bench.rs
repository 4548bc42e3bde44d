//! `cargo xtask bench`: measures the cost of pintrace.

mod findings;
mod native;
mod overhead;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// The cost to measure.
#[derive(Subcommand)]
pub(crate) enum BenchTask {
    /// Pin and release in the kernel-side ledger, on this machine, by layout of the folio table
    Core,
    /// One scan of all struct pages, on this machine, compared with a plain loop over as many bytes
    Scan,
    /// Direct I/O in a guest: the rate under a recording, relative to the rate without pintrace
    Overhead(overhead::OverheadBench),
    /// Forks and faults in a guest, with and without the finding hooks
    Findings(findings::FindingsBench),
}

impl BenchTask {
    /// Runs the benchmark.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Core => native::run("core", &["--features", "bench"]),
            Self::Scan => native::run("scan", &[]),
            Self::Overhead(overhead) => overhead.run(),
            Self::Findings(findings) => findings.run(),
        }
    }
}
