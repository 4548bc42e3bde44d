//! `cargo xtask ci`: everything that a change must pass, from a fresh checkout.

use std::process::ExitCode;

use anyhow::Result;

use crate::results::ResultTable;
use crate::test::{self, TestTask};
use crate::{lint, setup};

/// Runs set-up, lint and tests.
pub(crate) fn run() -> Result<ExitCode> {
    setup::run()?;
    let mut table = ResultTable::default();
    lint::fill(&mut table)?;
    TestTask::everything()?.fill(&mut table)?;
    Ok(test::close(&table))
}
