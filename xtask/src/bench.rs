//! `cargo xtask bench`: measures the cost of pintrace.

mod attach;
mod compare;
mod figure;
mod guest;
mod median;
mod native;
mod options;
mod overhead;
mod result;
mod sample;
mod table;

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
    /// Programs that pin and programs that pin nothing, in a guest, under each kind of session
    Overhead(overhead::OverheadBench),
    /// The time to attach and to detach all hooks, in a guest, and what both cost a bystander
    Attach(attach::AttachBench),
}

impl BenchTask {
    /// Runs the benchmark.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Core => native::run("core", &["--features", "bench"]),
            Self::Scan => native::run("scan", &[]),
            Self::Overhead(overhead) => overhead.run(),
            Self::Attach(attach) => attach.run(),
        }
    }
}
