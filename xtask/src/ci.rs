//! `cargo xtask ci`: everything that a change must pass, from a fresh checkout.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::results::{ResultTable, TestCounts};
use crate::screenshots::ScreenshotsTask;
use crate::test::{self, TestTask};
use crate::{lint, setup};

/// Runs set-up, lint and tests.
pub(crate) fn run() -> Result<ExitCode> {
    setup::run()?;
    let mut table = ResultTable::default();
    lint::fill(&mut table)?;
    pictures(&mut table);
    TestTask::everything()?.fill(&mut table)?;
    Ok(test::close(&table))
}

/// Compares the pictures of docs/tour.md with the view.
fn pictures(table: &mut ResultTable) {
    eprintln!("xtask: pictures");
    let start = Instant::now();
    let counts = match ScreenshotsTask::CHECK.run() {
        Ok(_) => TestCounts::PASSED,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            TestCounts::FAILED
        }
    };
    table.add("pictures", counts, start.elapsed());
}
