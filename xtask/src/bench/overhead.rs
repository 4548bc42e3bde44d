//! `cargo xtask bench overhead`: the rate of fio in one guest, bare, under `pintrace record` and without findings. The
//! clock of the guest counts instructions, and fio reads from null_blk, so the rates are the same on a busy host.

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
/// The files of a kind of run, and the kind as shown.
const RECORDED: [(&str, &str); 2] = [("record", "record"), ("no-findings", "record --no-findings")];

/// The options of `bench overhead`.
#[derive(Args)]
pub(crate) struct OverheadBench {
    /// Kernel series
    #[arg(long, value_name = "SERIES", default_value = "6.12")]
    kernel: SeriesChoice,
    /// Number of runs of each kind
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Minimum ratio of each recorded rate to the bare rate
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
        options.modules.push("null_blk".to_owned());
        options.out = Some(out.path().to_owned());
        let outcome = options
            .prepare()?
            .run(&format!("RUNS={}\n{SCRIPT}", self.runs), &mut io::stderr())?;
        if !matches!(outcome, GuestExit::Exited(0)) {
            bail!(
                "the benchmark ended early with exit code {}",
                vm::explain(&outcome)
            );
        }
        let bare = self.median(out.path(), "bare")?;
        println!("{:<22}{:>12}{:>8}", "fio 4 KiB randread", "I/O per s", "ratio");
        println!("{:<22}{bare:>12.0}{:>8.3}", "bare", 1.0);
        let mut enough = true;
        for (kind, shown) in RECORDED {
            let rate = self.median(out.path(), kind)?;
            let ratio = rate / bare;
            println!("{shown:<22}{rate:>12.0}{ratio:>8.3}");
            enough &= ratio >= self.min;
        }
        if enough {
            return Ok(ExitCode::SUCCESS);
        }
        println!("below the minimum ratio {:.2}", self.min);
        Ok(ExitCode::FAILURE)
    }

    /// Returns the median rate of a kind of run, in I/Os per second of the guest.
    fn median(&self, folder: &Path, kind: &str) -> Result<f64> {
        let read = |number| {
            let file = folder.join(format!("{kind}-{number}.json"));
            let text = fs::read_to_string(&file)
                .with_context(|| format!("the guest wrote no {kind}-{number}.json"))?;
            rate(&text).with_context(|| format!("{kind}-{number}.json is no output of fio"))
        };
        let rates = (1..=self.runs).map(read).collect::<Result<Vec<f64>>>()?;
        Ok(middle(&rates))
    }
}

fn rate(text: &str) -> Option<f64> {
    // fio may print notes before its JSON.
    let json: Value = serde_json::from_str(&text[text.find('{')?..]).ok()?;
    json["jobs"][0]["read"]["iops"].as_f64()
}

/// Returns the median.
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
    fn the_rate_is_read_from_fios_json() {
        assert_eq!(
            rate("fio: note\n{\"jobs\":[{\"read\":{\"iops\":45000.5}}]}"),
            Some(45000.5)
        );
        assert_eq!(rate("no json"), None);
    }
}
