//! `cargo xtask bench overhead`: alternates bare fio and fio under `pintrace record`, in one guest whose clock counts
//! instructions.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::vm::guest::GuestExit;
use crate::vm::series::SeriesChoice;
use crate::vm::{self, GuestOptions};

const SCRIPT: &str = include_str!("overhead.sh");
/// A run with a rate this many times below the median stalled on an emulated timer and does not count.
const STALL: f64 = 10.0;
const LEAST_PAIRS: usize = 3;

/// The options of `bench overhead`.
#[derive(Args)]
pub(crate) struct OverheadBench {
    /// Kernel series
    #[arg(long, value_name = "SERIES", default_value = "6.12")]
    kernel: SeriesChoice,
    /// Number of pairs of runs
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..))]
    pairs: u32,
    /// Minimum ratio of the recorded rate to the bare rate
    #[arg(long, value_name = "RATIO", default_value_t = 0.80)]
    min: f64,
}

impl OverheadBench {
    /// Runs the benchmark.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let out = tempfile::tempdir().context("cannot write a temporary folder")?;
        let mut options = GuestOptions::new(self.kernel);
        options.icount = true;
        options.package.push("fio".to_owned());
        options.out = Some(out.path().to_owned());
        let outcome = options
            .prepare()?
            .run(&format!("PAIRS={}\n{SCRIPT}", self.pairs), &mut io::stderr())?;
        if !matches!(outcome, GuestExit::Exited(0)) {
            bail!(
                "the benchmark ended early with exit code {}",
                vm::explain(&outcome)
            );
        }
        let bare = median("bare", &self.rates(out.path(), "bare")?)?;
        let recorded = median("recorded", &self.rates(out.path(), "recorded")?)?;
        let ratio = recorded / bare;
        println!("bare      {bare:>9.0} I/Os a second (median)");
        println!("recorded  {recorded:>9.0} I/Os a second (median)");
        println!("ratio     {ratio:>9.3} (at least {:.2})", self.min);
        Ok(if ratio < self.min {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    /// Returns the I/Os per guest second of each run of a kind.
    fn rates(&self, folder: &Path, kind: &str) -> Result<Vec<f64>> {
        let read = |number| {
            let file = folder.join(format!("{kind}-{number}.json"));
            let text = fs::read_to_string(&file)
                .with_context(|| format!("the guest wrote no {kind}-{number}.json"))?;
            rate(&text).with_context(|| format!("{kind}-{number}.json is no output of fio"))
        };
        (1..=self.pairs).map(read).collect()
    }
}

fn rate(text: &str) -> Option<f64> {
    // fio may print notes before its JSON.
    let json: Value = serde_json::from_str(&text[text.find('{')?..]).ok()?;
    json["jobs"][0]["read"]["iops"].as_f64()
}

/// The median of the runs that did not stall.
fn median(kind: &str, rates: &[f64]) -> Result<f64> {
    let first = middle(rates);
    let kept: Vec<f64> = rates
        .iter()
        .copied()
        .filter(|rate| rate * STALL >= first)
        .collect();
    let listed = rates
        .iter()
        .map(|rate| format!("{rate:.0}"))
        .collect::<Vec<_>>()
        .join(" ");
    println!("{kind}: {listed}");
    if kept.len() < rates.len() {
        println!(
            "{kind}: dropped {} of {} runs, {STALL} times below the median",
            rates.len() - kept.len(),
            rates.len()
        );
    }
    if kept.len() < LEAST_PAIRS {
        bail!(
            "only {} runs of {kind} are left: run the benchmark again with more --pairs",
            kept.len()
        );
    }
    Ok(middle(&kept))
}

pub(super) fn middle(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_runs_are_dropped() {
        assert!((median("x", &[100.0, 3.0, 104.0, 102.0]).unwrap() - 102.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_runs_are_an_error() {
        assert!(median("x", &[100.0, 3.0, 101.0]).is_err());
    }

    #[test]
    fn the_rate_is_read_from_fios_json() {
        assert_eq!(
            rate("fio: note\n{\"jobs\":[{\"read\":{\"iops\":45000.5}}]}"),
            Some(45000.5)
        );
        assert_eq!(rate("no json"), None);
    }
}
