//! The tests that ask Prometheus' own checker, out of Debian's package, about metrics, alerts and dashboard.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::results::{ResultTable, TestCounts};
use crate::vm::package;
use crate::workspace;

/// Tells the tests where it is.
const VARIABLE: &str = "PINTRACE_PROMTOOL";

/// The checker, fetched once.
pub(super) fn obtain() -> Result<PathBuf> {
    package::program("prometheus", "usr/bin/promtool")
}

/// Runs the tests that are ignored elsewhere for want of it, and adds a row to the table.
pub(super) fn run(table: &mut ResultTable) -> Result<()> {
    let start = Instant::now();
    let promtool = match obtain() {
        Ok(promtool) => promtool,
        Err(error) => {
            eprintln!("xtask: promtool checked nothing: {error:#}");
            table.add("promtool", TestCounts::FAILED, start.elapsed());
            return Ok(());
        }
    };
    let words = [
        "test",
        "--no-fail-fast",
        "--package",
        "pintrace",
        "--test",
        "metrics",
        "--test",
        "dashboards",
        "--",
        "--show-output",
        "--include-ignored",
        "promtool",
    ];
    let mut command = workspace::cargo(&words);
    command.env(VARIABLE, promtool);
    super::add_row("promtool", command, table)
}
