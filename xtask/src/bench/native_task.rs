//! `cargo xtask bench core`, `scan`, `user` and `tui`: benchmarks of the package `pintrace` that run on this machine.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::figure::Figure;
use super::native::{self, NativeBench};
use super::options::CheckArgs;
use super::result::{BenchResult, Member};
use super::{core, scan, stages};

/// The options of a benchmark on this machine.
#[derive(Args)]
pub(crate) struct NativeTask {
    #[command(flatten)]
    check: CheckArgs,
}

impl NativeTask {
    /// Runs the benchmark.
    pub(crate) fn run(&self, member: Member) -> Result<ExitCode> {
        self.check.prepare(member)?;
        let (bench, figures) = parts(member)?;
        let result = BenchResult {
            machine: native::machine(),
            kernels: Vec::new(),
            figures: figures(&bench.output()?)?,
        };
        self.check.conclude(member, &result)
    }
}

/// Reads the figures from the output of a benchmark.
type FiguresOf = fn(&str) -> Result<Vec<Figure>>;

/// Returns the benchmark and the reader of its output.
fn parts(member: Member) -> Result<(NativeBench, FiguresOf)> {
    let bench = |features, needs_root| NativeBench {
        name: member.name(),
        features,
        needs_root,
    };
    Ok(match member {
        Member::Core => (bench(&["--features", "bench"], true), core::figures),
        Member::Scan => (bench(&[], true), scan::figures),
        Member::User => (bench(&[], true), stages::figures),
        Member::Tui => (bench(&["--features", "bench"], false), stages::figures),
        Member::Overhead | Member::Attach => bail!("bench {} runs in guests", member.name()),
    })
}
