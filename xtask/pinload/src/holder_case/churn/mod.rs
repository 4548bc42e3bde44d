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
use super::holding;
use crate::failure::{Explain, Result};
use crate::holder::compare;
use crate::report;
use crate::vmstat::PinCounters;

/// Number of workers.
const WORKERS: usize = 8;
/// Steps between two checkpoints.
const INTERVAL: u64 = 50;

/// Options of `holder churn`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChurnArgs {
    /// Determines the operations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of operations; a checkpoint follows each 50, and the last
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
}

/// All operations so far are complete, and their releases too.
#[derive(Serialize)]
struct CheckpointLine {
    event: &'static str,
    /// Operations so far.
    step: u64,
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
    PinCounters::wait_until_stable()?;
    let begin = PinCounters::read()?;
    let settle = |pins| compare(holding(pins), Some(begin.settle(holding(pins))?));
    let mut churn = Churn::new(Pool::new(WORKERS)?, arguments.seed);
    for step in 1..=arguments.steps {
        churn.step()?;
        if step % INTERVAL != 0 && step != arguments.steps {
            continue;
        }
        settle(churn.truth.pinned())?;
        report::print(&CheckpointLine {
            event: "checkpoint",
            step,
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

/// Waits for a line on standard input. Returns false at its end.
pub(super) fn next_line() -> Result<bool> {
    let length = io::stdin().read_line(&mut String::new());
    length.map(|length| length > 0).failing(
        "cannot read standard input",
        "give pinload a pipe or /dev/null as standard input",
    )
}
