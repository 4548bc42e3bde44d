//! `cargo xtask bench core`, `scan`, `user` and `tui`: benchmarks of the package `pintrace` that run on this machine.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::figure::{Better, Figure};
use super::native::{self, NativeBench};
use super::options::CheckArgs;
use super::result::{BenchResult, Member};
use super::{core, scan, stages};

/// Number of runs of the program. The speed of a busy machine changes within seconds, so one run may measure the reference
/// and the rest at different speeds.
const ROUNDS: usize = 5;

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
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(figures(&bench.output()?)?);
        }
        let result = BenchResult {
            machine: native::machine(),
            kernels: Vec::new(),
            figures: with_ratios(best(rounds)),
        };
        self.check.conclude(member, &result)
    }
}

/// Returns the best value of each figure. Other work on the machine makes figures only worse.
fn best(rounds: Vec<Vec<Figure>>) -> Vec<Figure> {
    let mut rounds = rounds.into_iter();
    let mut figures = rounds.next().unwrap_or_default();
    for other in rounds.flatten() {
        if let Some(figure) = figures.iter_mut().find(|figure| figure.is_same_as(&other)) {
            figure.value = match figure.better {
                Better::Higher => figure.value.max(other.value),
                Better::Lower => figure.value.min(other.value),
            };
        }
    }
    figures
}

/// Adds the ratios to the reference, which is the first figure. Figures in other units have no ratio.
fn with_ratios(mut figures: Vec<Figure>) -> Vec<Figure> {
    if let Some((reference, others)) = figures.split_first_mut() {
        for figure in others.iter_mut().filter(|figure| figure.unit == reference.unit) {
            figure.ratio = Some(figure.value / reference.value);
        }
    }
    figures
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
        _ => bail!("bench {} runs in guests", member.name()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::figure::tests::figure;
    use super::*;

    fn round(reference: f64, time: f64, rate: f64) -> Vec<Figure> {
        let plain = |workload: &str, value, unit: &str, better| Figure {
            value,
            unit: unit.to_owned(),
            ratio: None,
            ..figure(workload, "x", 1.0, better)
        };
        vec![
            plain("reference", reference, "ns", Better::Lower),
            plain("decode", time, "ns", Better::Lower),
            plain("rate of decode", rate, "per s", Better::Higher),
        ]
    }

    #[test]
    fn ratios_are_those_of_the_best_values() {
        let figures = with_ratios(best(vec![round(200.0, 50.0, 7.0), round(100.0, 60.0, 9.0)]));
        let shown: Vec<_> = figures
            .iter()
            .map(|figure| (figure.value, figure.ratio))
            .collect();
        assert_eq!(shown, [(100.0, None), (50.0, Some(0.5)), (9.0, None)]);
    }
}
