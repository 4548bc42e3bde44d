//! `cargo xtask ci`: everything that a change must pass, from a fresh checkout.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::book::BookTask;
use crate::results::{ResultTable, TestCounts};
use crate::screenshots::ScreenshotsTask;
use crate::test::{self, TestTask};
use crate::{lint, setup};

/// Runs set-up, lint and tests.
pub(crate) fn run() -> Result<ExitCode> {
    setup::run()?;
    let mut table = ResultTable::default();
    lint::fill(&mut table)?;
    step(&mut table, "pictures", || ScreenshotsTask::CHECK.run());
    step(&mut table, "book, links", || BookTask::CHECK.run());
    TestTask::everything()?.fill(&mut table)?;
    Ok(test::close(&table))
}

/// Runs one check and adds its result to the table.
fn step(table: &mut ResultTable, name: &str, check: impl FnOnce() -> Result<ExitCode>) {
    eprintln!("xtask: {name}");
    let start = Instant::now();
    let counts = match check() {
        Ok(_) => TestCounts::PASSED,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            TestCounts::FAILED
        }
    };
    table.add(name, counts, start.elapsed());
}
