//! Benchmarks whose script prints the amounts of its table: `daemon`, `top`, `lost-calls` and `programs`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::figure::{Better, Figure};
use super::guest::{self, GuestClock, GuestScript};
use super::median;
use super::options::CheckArgs;
use super::result::Member;
use super::sample::{GuestSamples, Measure};
use crate::test::{KernelList, kernels};

/// The options of these benchmarks.
#[derive(Args)]
pub(crate) struct AmountsTask {
    /// Kernels, such as 6.12 or 7.3-rt
    #[arg(long, value_name = "KERNEL,...", value_parser = kernels, default_value = "6.12,newest")]
    kernels: KernelList,
    #[command(flatten)]
    check: CheckArgs,
}

/// A benchmark.
struct AmountsBench {
    member: Member,
    script: GuestScript<'static>,
    columns: &'static [Column],
    /// The row with which all others are compared.
    reference: Option<&'static str>,
}

/// A column of the table.
struct Column {
    name: &'static str,
    unit: &'static str,
    better: Better,
    /// The margin of `--check`. Absent for an amount that is not compared.
    margin: Option<f64>,
}

const fn lower(name: &'static str, unit: &'static str, margin: Option<f64>) -> Column {
    Column {
        name,
        unit,
        better: Better::Lower,
        margin,
    }
}

const DAEMON: AmountsBench = AmountsBench {
    member: Member::Daemon,
    script: GuestScript {
        text: include_str!("daemon.sh"),
        packages: &[],
        modules: &[],
        memory: 7,
        clock: GuestClock::Instructions,
    },
    columns: &[
        lower("CPU", "% of one CPU", Some(0.15)),
        lower("resident memory", "MiB", Some(0.1)),
        lower("BPF maps", "MiB", Some(0.05)),
        lower("losses", "", Some(0.0)),
    ],
    reference: None,
};

const TOP: AmountsBench = AmountsBench {
    member: Member::Top,
    script: GuestScript {
        text: include_str!("top.sh"),
        // `script` has the terminal.
        packages: &["bsdutils"],
        modules: &[],
        memory: 3,
        clock: GuestClock::Instructions,
    },
    columns: &[
        lower("CPU", "% of one CPU", Some(0.15)),
        lower("resident memory", "MiB", Some(0.1)),
        lower("losses", "", Some(0.0)),
    ],
    reference: None,
};

const LOST_CALLS: AmountsBench = AmountsBench {
    member: Member::LostCalls,
    script: GuestScript {
        text: include_str!("lost_calls.sh"),
        packages: &["fio"],
        modules: &[],
        memory: 2,
        clock: GuestClock::Host,
    },
    // How often threads are preempted inside a program depends on the host.
    columns: &[
        Column {
            name: "pin and release calls",
            unit: "",
            better: Better::Higher,
            margin: None,
        },
        lower("lost, per million", "", None),
        lower("in no counter", "", Some(0.0)),
    ],
    reference: None,
};

const PROGRAMS: AmountsBench = AmountsBench {
    member: Member::Programs,
    script: GuestScript {
        text: include_str!("programs.sh"),
        packages: &["bpftrace", "bpftool"],
        modules: &[],
        memory: 2,
        clock: GuestClock::Instructions,
    },
    columns: &[lower("run time", "ns", Some(0.1))],
    reference: Some("empty program"),
};

impl AmountsTask {
    /// Runs a benchmark.
    pub(crate) fn run(&self, member: Member) -> Result<ExitCode> {
        let bench = [DAEMON, TOP, LOST_CALLS, PROGRAMS]
            .into_iter()
            .find(|bench| bench.member == member)
            .context("this benchmark has no script of amounts")?;
        self.check.prepare(member)?;
        let result = guest::measure(&self.kernels.0, &bench.script, |samples| bench.figures(samples))?;
        self.check.conclude(member, &result)
    }
}

impl AmountsBench {
    /// Returns the figures of one guest.
    fn figures(&self, samples: &GuestSamples) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        for workload in samples.workloads() {
            for column in self.columns {
                let value = amount(samples, workload, column)?;
                let reference = self.reference.filter(|reference| *reference != workload);
                let reference = reference.map(|row| amount(samples, row, column)).transpose()?;
                let is_compared = self.reference.is_none() || reference.is_some();
                figures.push(Figure {
                    place: samples.place(),
                    workload: workload.to_owned(),
                    variant: column.name.to_owned(),
                    value,
                    unit: column.unit.to_owned(),
                    ratio: reference.map(|reference| value / reference),
                    better: column.better,
                    margin: column.margin.filter(|_| is_compared),
                });
            }
        }
        Ok(figures)
    }
}

/// Returns the median of the amounts of a cell.
fn amount(samples: &GuestSamples, workload: &str, column: &Column) -> Result<f64> {
    let amounts = samples
        .of(column.name, workload)
        .filter_map(|measure| match measure {
            Measure::Amount(amount) => Some(amount),
            _ => None,
        });
    let amounts: Vec<f64> = amounts.collect();
    median::of_all(&amounts)
        .with_context(|| format!("the guest did not measure {:?} of {workload:?}", column.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rows: &[(&str, &str, f64)]) -> GuestSamples {
        let lines = rows.iter().map(|(row, column, amount)| {
            format!("sample\t{column}\t{{\"workload\":\"{row}\",\"amount\":{amount}}}\n")
        });
        let text = "kernel\t7.3.1-cloud-amd64\n".to_owned() + &lines.collect::<String>();
        GuestSamples::parse(&text).unwrap()
    }

    #[test]
    fn ratios_are_to_the_reference_row() {
        let samples = samples(&[("empty program", "run time", 50.0), ("a hook", "run time", 75.0)]);
        let figures = PROGRAMS.figures(&samples).unwrap();
        assert_eq!(figures.len(), 2);
        assert_eq!((figures[0].ratio, figures[0].margin), (None, None));
        assert_eq!((figures[1].ratio, figures[1].margin), (Some(1.5), Some(0.1)));
    }

    #[test]
    fn a_missing_cell_is_an_error() {
        let samples = samples(&[("at rest", "CPU", 0.1)]);
        let error = DAEMON.figures(&samples).unwrap_err().to_string();
        assert!(error.contains("resident memory"), "{error}");
    }
}
