//! `cargo xtask bench attach`: the time to attach and to detach all hooks, and the cost for a bystander, on an idle guest
//! and beside 64 busy threads.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::figure::{Better, Figure};
use super::guest::{self, GuestClock, GuestScript};
use super::median;
use super::options::CheckArgs;
use super::result::Member;
use super::sample::{GuestSamples, Measure, Repeated};
use crate::test::{KernelList, kernels};

const SCRIPT: &str = include_str!("attach.sh");
/// The states of the guest.
const STATES: [&str; 2] = ["idle", "64 busy threads"];
/// The durations, as the script names them.
const DURATIONS: [&str; 5] = [
    "record -- true, whole run",
    "record, start until the command runs",
    "record, end of the command until exit",
    "serve, start until it serves",
    "serve, SIGINT until exit",
];
/// The bystander beside a command that only sleeps, and beside a recording.
const QUIET: &str = "quiet";
const RECORDED: &str = "record";
/// The durations contain waits for grace periods of RCU, which vary more than the instructions.
const MARGIN: f64 = 0.15;

/// The options of `bench attach`.
#[derive(Args)]
pub(crate) struct AttachBench {
    /// Kernels, such as 6.12 or 7.3-rt
    #[arg(long, value_name = "KERNEL,...", value_parser = kernels, default_value = "6.12,newest")]
    kernels: KernelList,
    /// Number of runs in each state of the guest; the figure is the median
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    check: CheckArgs,
}

impl AttachBench {
    /// Runs the benchmark, in one guest for each kernel, one after another.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        self.check.prepare(Member::Attach)?;
        let text = format!("RUNS={}\n{SCRIPT}", self.runs);
        let script = GuestScript {
            text: &text,
            packages: &[],
            modules: &[],
            memory: 2,
            clock: GuestClock::Instructions,
        };
        let result = guest::measure(&self.kernels.0, &script, figures)?;
        self.check.conclude(Member::Attach, &result)
    }
}

/// Returns the figures of one guest.
fn figures(samples: &GuestSamples) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut add = |workload: &str, state: &str, value: f64, margin: Option<f64>| {
        figures.push(Figure {
            place: samples.place(),
            workload: workload.to_owned(),
            variant: state.to_owned(),
            value,
            unit: "s".to_owned(),
            ratio: None,
            better: Better::Lower,
            margin,
        });
    };
    for state in STATES {
        for duration in DURATIONS {
            let measured = samples.of(state, duration).filter_map(|measure| match measure {
                Measure::Seconds(seconds) => Some(seconds),
                _ => None,
            });
            add(duration, state, middle(measured, state, duration)?, Some(MARGIN));
        }
        let quiet = middle(
            repeated(samples, state, QUIET).map(Repeated::each_ns),
            state,
            QUIET,
        )?;
        let recorded = || repeated(samples, state, RECORDED);
        let lost = middle(recorded().map(|it| it.seconds_lost(quiet)), state, RECORDED)?;
        add("bystander, time lost to one record", state, lost, Some(MARGIN));
        // A single pause depends on the scheduler, so it is shown and not compared.
        let longest = |workload| {
            let pauses = repeated(samples, state, workload).filter_map(|it| Some(it.longest_ns? / 1e9));
            middle(pauses, state, workload)
        };
        add(
            "bystander, longest pause meanwhile",
            state,
            longest(RECORDED)?,
            None,
        );
        add(
            "bystander, longest pause without pintrace",
            state,
            longest(QUIET)?,
            None,
        );
    }
    Ok(figures)
}

fn repeated<'a>(
    samples: &'a GuestSamples,
    state: &'a str,
    workload: &'a str,
) -> impl Iterator<Item = Repeated> + 'a {
    samples.of(state, workload).filter_map(|measure| match measure {
        Measure::Repeated(repeated) => Some(repeated),
        _ => None,
    })
}

/// Returns the median.
fn middle(values: impl Iterator<Item = f64>, state: &str, workload: &str) -> Result<f64> {
    let values: Vec<f64> = values.collect();
    median::of_times(&values)
        .map(|median| median.value)
        .with_context(|| format!("the guest did not measure {workload:?} in the state {state:?}"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn samples(states: &[&str]) -> GuestSamples {
        let mut text = "kernel\t7.3.1-cloud-amd64\n".to_owned();
        for state in states {
            for (number, duration) in DURATIONS.iter().enumerate() {
                let _ = writeln!(
                    text,
                    "sample\t{state}\t{{\"workload\":\"{duration}\",\"seconds\":{number}.5}}"
                );
            }
            for (workload, elapsed) in [(QUIET, 1_000_000_000_u64), (RECORDED, 3_000_000_000)] {
                let _ = writeln!(
                    text,
                    "sample\t{state}\t{{\"workload\":\"{workload}\",\"operations\":1000,\"elapsed_ns\":{elapsed},\
                     \"longest_ns\":5000000}}"
                );
            }
        }
        GuestSamples::parse(&text).unwrap()
    }

    #[test]
    fn the_bystander_loses_what_exceeds_its_time_without_pintrace() {
        let figures = figures(&samples(&STATES)).unwrap();
        assert_eq!(figures.len(), 16);
        assert_eq!((figures[0].value, figures[0].compared()), (0.5, 0.5));
        assert!((figures[5].value - 2.0).abs() < 1e-9, "{:?}", figures[5]);
        assert_eq!((figures[6].value, figures[6].margin), (0.005, None));
    }

    #[test]
    fn a_state_that_was_not_measured_is_an_error() {
        let error = figures(&samples(&["idle"])).unwrap_err().to_string();
        assert!(error.contains("64 busy threads"), "{error}");
    }
}
