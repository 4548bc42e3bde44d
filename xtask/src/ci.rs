//! `cargo xtask ci`: all that a change must pass, from a fresh checkout.

use std::process::ExitCode;

use anyhow::Result;

use crate::tally::Table;
use crate::test::{self, Test};
use crate::{lint, setup};

/// Does it.
pub(crate) fn run() -> Result<ExitCode> {
    setup::run()?;
    let mut table = Table::default();
    lint::fill(&mut table)?;
    Test::everything()?.fill(&mut table)?;
    Ok(test::close(&table))
}
