//! `cargo xtask bench findings`: the cost of the finding hooks when nothing is pinned. stress-ng forks and
//! faults in one guest, bare, under a recording without findings, and under a recording with findings.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::vm::guest::GuestExit;
use crate::vm::series::SeriesChoice;
use crate::vm::{self, GuestOptions};

const SCRIPT: &str = include_str!("findings.sh");

/// The options of `bench findings`.
#[derive(Args)]
pub(crate) struct FindingsBench {
    /// Kernel series
    #[arg(long, value_name = "SERIES", default_value = "6.12")]
    kernel: SeriesChoice,
    /// Number of runs of each kind
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
}

/// Operations per second, by workload and kind.
type StressRates = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

impl FindingsBench {
    /// Runs the benchmark.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut options = GuestOptions::new(self.kernel);
        options.package.push("stress-ng".to_owned());
        let mut printed = Vec::new();
        let outcome = options
            .prepare()?
            .run(&format!("PAIRS={}\n{SCRIPT}", self.pairs), &mut printed)?;
        let text = String::from_utf8_lossy(&printed);
        if !matches!(outcome, GuestExit::Exited(0)) {
            bail!(
                "the benchmark ended early with exit code {}: {text}",
                vm::explain(&outcome)
            );
        }
        for (workload, kinds) in rates(&text)? {
            let middle = |kind: &str| {
                let rates = kinds
                    .get(kind)
                    .with_context(|| format!("no rate of {workload} {kind}"));
                rates.map(|rates| super::overhead::middle(rates))
            };
            let (bare, without, with) = (middle("bare")?, middle("without")?, middle("with")?);
            println!(
                "{workload:<6} bare {bare:>8.0}/s, recorded without findings {without:>8.0}/s ({:.3}), recorded with \
                 findings {with:>8.0}/s ({:.3}; medians of {})",
                without / bare,
                with / bare,
                self.pairs
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn rates(text: &str) -> Result<StressRates> {
    let mut rates = StressRates::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("rate") {
            continue;
        }
        let (Some(workload), Some(kind), Some(rate)) = (words.next(), words.next(), words.next()) else {
            bail!("not a rate: {line}");
        };
        let rate = rate.parse().with_context(|| format!("not a rate: {line}"))?;
        let kinds = rates.entry(workload.to_owned()).or_default();
        kinds.entry(kind.to_owned()).or_default().push(rate);
    }
    if rates.is_empty() {
        bail!("stress-ng printed no rates: {text}");
    }
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_collected_by_workload_and_kind() {
        let rates = rates("x\nrate fork bare 500.5\nrate fork bare 400\nrate fork with 450\n").unwrap();
        assert_eq!(rates["fork"]["bare"], [500.5, 400.0]);
        assert_eq!(rates["fork"]["with"], [450.0]);
        assert!(super::rates("nothing").is_err());
        assert!(super::rates("rate fork bare x").is_err());
    }
}
