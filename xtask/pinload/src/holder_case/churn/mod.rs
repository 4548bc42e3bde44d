//! Workers that open, pass, duplicate, inherit and close rings at random, while the controller keeps the truth.
//!
//! After some steps the controller waits until the kernel has released all that must go, prints one line, `checkpoint`,
//! and waits for a line on standard input. All processes end with the controller.

mod pool;
mod request;
mod step;
mod truth;
mod worker;

use std::io;

use clap::Args;
use serde::Serialize;

use self::pool::Pool;
use self::step::Churn;
use self::truth::HeldRing;
use super::generator::Generator;
use super::holding;
use crate::failure::{Explain, Failure, Result};
use crate::holder::compare;
use crate::report;
use crate::vmstat::PinCounters;

/// Number of workers.
const WORKERS: usize = 8;
/// Options of `holder churn`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChurnArgs {
    /// Determines the operations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of rings to open, one after another, and at least as many as checkpoints
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    rings: u64,
    /// Number of checkpoints at random moments, of which the last is at the end
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    checkpoints: u64,
}

/// All operations so far are complete, and their releases too.
#[derive(Serialize)]
struct CheckpointLine {
    event: &'static str,
    /// Operations so far.
    steps: u64,
    /// Rings opened so far.
    opened: u64,
    /// The rings with pins.
    rings: Vec<HeldRing>,
    /// Pages of all rings.
    total: u64,
    /// The workers and their children.
    pids: Vec<i32>,
    time_ns: u64,
}

/// Carries out the operations, with a checkpoint after each interval. Ends early at the end of standard input.
pub(crate) fn run(arguments: &ChurnArgs) -> Result<()> {
    let &ChurnArgs {
        seed,
        rings,
        checkpoints,
    } = arguments;
    if rings < checkpoints {
        return Err(Failure::usage(
            format!("{checkpoints} checkpoints for {rings} rings"),
            "choose --rings at least as large as --checkpoints",
        ));
    }
    PinCounters::wait_until_stable()?;
    let begin = PinCounters::read()?;
    let settle = |pins| compare(holding(pins), Some(begin.settle(holding(pins))?));
    let mut churn = Churn::new(Pool::new(WORKERS)?, seed);
    for checkpoint in 0..checkpoints {
        let moment = moment(&mut churn.generator, checkpoint, checkpoints, rings);
        churn.open_until(moment)?;
        settle(churn.truth.pinned())?;
        report::print(&CheckpointLine {
            event: "checkpoint",
            steps: churn.steps,
            opened: churn.opened(),
            rings: churn.truth.held(),
            total: churn.truth.pinned(),
            pids: churn.pids(),
            time_ns: report::now_ns(),
        })?;
        if !next_line()? {
            break;
        }
    }
    churn.pool.end()?;
    settle(0)
}

/// Returns the number of rings opened before a checkpoint: a random number in each part of the run, and all at the end.
const fn moment(generator: &mut Generator, checkpoint: u64, checkpoints: u64, rings: u64) -> u64 {
    if checkpoint + 1 == checkpoints {
        return rings;
    }
    let begin = checkpoint * rings / checkpoints;
    let end = (checkpoint + 1) * rings / checkpoints;
    begin + 1 + generator.below(end - begin)
}

/// Waits for a line on standard input. Returns false at its end.
pub(super) fn next_line() -> Result<bool> {
    let length = io::stdin().read_line(&mut String::new());
    length.map(|length| length > 0).failing(
        "cannot read standard input",
        "give pinload a pipe or /dev/null as standard input",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_are_random_and_ascend_to_the_end() {
        let moments = |seed| {
            let mut generator = Generator::new(seed);
            (0..20)
                .map(|checkpoint| moment(&mut generator, checkpoint, 20, 1000))
                .collect::<Vec<_>>()
        };
        assert!(moments(1).is_sorted());
        assert_eq!(moments(1).last(), Some(&1000));
        assert_ne!(moments(1), moments(2));
    }
}
