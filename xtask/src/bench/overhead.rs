//! `cargo xtask bench overhead`: what pintrace costs programs that pin and programs that pin nothing. The workloads run in
//! a guest without pintrace, under each kind of session, and under a script for bpftrace.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::figure::{Better, Figure};
use super::guest::{self, GuestClock, GuestScript};
use super::median::{self, Median};
use super::options::CheckArgs;
use super::result::Member;
use super::sample::{GuestSamples, Measure};
use crate::test::{KernelList, kernels};

const SCRIPT: &str = include_str!("overhead.sh");
/// The script for bpftrace that answers the same question.
const BPFTRACE: &str = include_str!("pins.bt");
/// The kind of run that all others are compared with.
const REFERENCE: &str = "bare";
/// The kinds of runs, in the order of the table.
const VARIANTS: [&str; 6] = [
    REFERENCE,
    "record",
    "record --no-findings",
    UNPINNED,
    "serve",
    SCRIPTED,
];
/// The kind of run in which only bystanders run, and the finding hooks wait for pins.
const UNPINNED: &str = "serve, no pins";
/// The kind of run that the guest leaves out on a kernel without the functions that the script for bpftrace hooks.
const SCRIPTED: &str = "bpftrace";
/// Runs in a guest whose clock counts instructions differ by 1 to 2 per cent.
const MARGIN: f64 = 0.03;
/// Forks and new mappings depend on the memory that earlier processes have left behind, and differ by up to 6 per cent.
const MEMORY_MARGIN: f64 = 0.08;

/// The options of `bench overhead`.
#[derive(Args)]
pub(crate) struct OverheadBench {
    /// Kernels, such as 6.12 or 7.3-rt
    #[arg(long, value_name = "KERNEL,...", value_parser = kernels, default_value = "6.12,newest")]
    kernels: KernelList,
    /// Number of runs of each workload in each kind of run; the figure is the median
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    check: CheckArgs,
}

impl OverheadBench {
    /// Runs the benchmark, in one guest for each kernel, one after another.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        self.check.prepare(Member::Overhead)?;
        // The quotes keep the shell from expanding the script for bpftrace.
        let text = format!(
            "RUNS={}\ncat >/tmp/pins.bt <<'BPFTRACE'\n{BPFTRACE}BPFTRACE\n{SCRIPT}",
            self.runs
        );
        let script = GuestScript {
            text: &text,
            packages: &["fio", "bpftrace"],
            modules: &["null_blk"],
            memory: 2,
            clock: GuestClock::Instructions,
        };
        let result = guest::measure(&self.kernels.0, &script, figures)?;
        self.check.conclude(Member::Overhead, &result)
    }
}

/// Returns the median of each workload in each kind of run, and the ratio to the bare run.
fn figures(samples: &GuestSamples) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let is_scripted = samples.samples.iter().any(|sample| sample.variant == SCRIPTED);
    for workload in samples.workloads() {
        let (reference, better) = median(samples, REFERENCE, workload)?;
        for variant in VARIANTS {
            if variant == SCRIPTED && !is_scripted {
                continue;
            }
            if variant == UNPINNED && samples.of(variant, workload).next().is_none() {
                continue;
            }
            let (Median { value, dropped }, _) = median(samples, variant, workload)?;
            if dropped != 0 {
                eprintln!("xtask: {workload}, {variant}: dropped {dropped} stalled runs");
            }
            let is_compared = variant != REFERENCE;
            figures.push(Figure {
                place: samples.place(),
                workload: workload.to_owned(),
                variant: variant.to_owned(),
                value,
                unit: if better == Better::Higher {
                    "I/O per s"
                } else {
                    "ns"
                }
                .to_owned(),
                ratio: is_compared.then_some(value / reference.value),
                better,
                // The cost of bpftrace is not a property of pintrace.
                margin: (is_compared && variant != SCRIPTED).then(|| margin(workload)),
            });
        }
    }
    Ok(figures)
}

fn margin(workload: &str) -> f64 {
    match workload {
        "fork" | "map-touch-unmap" => MEMORY_MARGIN,
        _ => MARGIN,
    }
}

fn median(samples: &GuestSamples, variant: &str, workload: &str) -> Result<(Median, Better)> {
    let mut rates = Vec::new();
    let mut times = Vec::new();
    for measure in samples.of(variant, workload) {
        match measure {
            Measure::Rate(rate) => rates.push(rate),
            Measure::Repeated(repeated) => times.push(repeated.each_ns()),
            Measure::Seconds(seconds) => times.push(seconds * 1e9),
            Measure::Amount(_) => {}
        }
    }
    let of_rates = median::of_rates(&rates).map(|median| (median, Better::Higher));
    let of_times = || median::of_times(&times).map(|median| (median, Better::Lower));
    of_rates
        .or_else(of_times)
        .with_context(|| format!("the guest did not measure {workload} in the run {variant}"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn samples(left_out: &str) -> GuestSamples {
        let mut text = "kernel\t6.12.118+deb13-cloud-amd64\n".to_owned();
        for (number, variant) in VARIANTS
            .iter()
            .enumerate()
            .filter(|(_, variant)| **variant != left_out)
        {
            let (rate, time) = (1000 - 100 * number, 1000 + 100 * number);
            let _ = writeln!(
                text,
                "sample\t{variant}\t{{\"workload\":\"fio\",\"per_second\":{rate}}}"
            );
            let _ = writeln!(
                text,
                "sample\t{variant}\t{{\"workload\":\"fork\",\"operations\":10,\"elapsed_ns\":{time}}}"
            );
        }
        GuestSamples::parse(&text).unwrap()
    }

    #[test]
    fn ratios_are_to_the_bare_run() {
        let figures = figures(&samples("")).unwrap();
        assert_eq!(figures.len(), 12);
        let (bare, record, fork) = (&figures[0], &figures[1], &figures[7]);
        assert_eq!((bare.value, bare.ratio, bare.margin), (1000.0, None, None));
        assert_eq!((record.ratio, record.better), (Some(0.9), Better::Higher));
        assert_eq!(record.margin, Some(MARGIN));
        assert_eq!((fork.ratio, fork.better), (Some(1.1), Better::Lower));
        assert_eq!(fork.margin, Some(MEMORY_MARGIN));
        assert_eq!(figures[5].margin, None);
    }

    #[test]
    fn a_kind_of_run_that_was_not_measured_is_an_error() {
        let error = figures(&samples("serve")).unwrap_err().to_string();
        assert!(error.contains("fio in the run serve"), "{error}");
        assert_eq!(figures(&samples(SCRIPTED)).unwrap().len(), 10);
        assert_eq!(figures(&samples(UNPINNED)).unwrap().len(), 10);
    }
}
