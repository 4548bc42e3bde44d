//! `cargo xtask bench`: what pintrace costs.

mod findings;
mod native;
mod overhead;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Which cost to measure.
#[derive(Subcommand)]
pub(crate) enum BenchTask {
    /// Pin and release in the kernel-side ledger, natively, by layout of the folio table
    Core,
    /// One look at all struct pages, natively, beside a plain loop over as many bytes
    Scan,
    /// Direct I/O in a guest, bare against recorded: how much of the rate is left
    Overhead(overhead::OverheadBench),
    /// Forks and faults in a guest, with and without the hooks for findings
    Findings(findings::FindingsBench),
}

impl BenchTask {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Core => native::run("core", &["--features", "bench"]),
            Self::Scan => native::run("scan", &[]),
            Self::Overhead(overhead) => overhead.run(),
            Self::Findings(findings) => findings.run(),
        }
    }
}
