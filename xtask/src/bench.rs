//! `cargo xtask bench`: measures the cost of pintrace.

mod amounts;
mod attach;
mod compare;
mod core;
mod figure;
mod guest;
mod median;
mod native;
mod native_task;
mod options;
mod overhead;
mod report;
mod result;
mod sample;
mod scan;
mod stages;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use native_task::NativeTask;
use result::Member;

/// The cost to measure.
#[derive(Subcommand)]
pub(crate) enum BenchTask {
    /// Pin and release in the kernel-side ledger, on this machine, by layout of the folio table
    Core(NativeTask),
    /// One scan of all struct pages, on this machine, compared with a plain loop over as many bytes
    Scan(NativeTask),
    /// Programs that pin and programs that pin nothing, in a guest, under each kind of session
    Overhead(overhead::OverheadBench),
    /// The time to attach and to detach all hooks, in a guest, and what both cost a bystander
    Attach(attach::AttachBench),
    /// Calls that the kernel skips where 20 threads read at once, in a guest
    LostCalls(amounts::AmountsTask),
    /// Single programs that have nothing to do, in a guest, compared with an empty program
    Programs(amounts::AmountsTask),
    /// CPU time and memory of `serve` at rest and with a million extents, in a guest
    Daemon(amounts::AmountsTask),
    /// Measure `top` with 98,304 extents, in guests
    Top(amounts::AmountsTask),
    /// The work of user space on each event, on this machine: time and allocated bytes
    User(NativeTask),
    /// One frame of the live view, on this machine: time and allocated bytes
    Tui(NativeTask),
    /// Write docs/performance.md and its plots from the figures that --update stored
    Report,
}

impl BenchTask {
    /// Runs the benchmark.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Core(core) => core.run(Member::Core),
            Self::Scan(scan) => scan.run(Member::Scan),
            Self::Overhead(overhead) => overhead.run(),
            Self::Attach(attach) => attach.run(),
            Self::LostCalls(task) => task.run(Member::LostCalls),
            Self::Programs(task) => task.run(Member::Programs),
            Self::Daemon(task) => task.run(Member::Daemon),
            Self::Top(task) => task.run(Member::Top),
            Self::User(user) => user.run(Member::User),
            Self::Tui(tui) => tui.run(Member::Tui),
            Self::Report => report::run(),
        }
    }
}
