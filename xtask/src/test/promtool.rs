//! The tests that check metrics, alerts and dashboard with promtool, the checker of Prometheus, from Debian's
//! package.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::results::{ResultTable, TestCounts};
use crate::vm::package;
use crate::workspace;

/// The variable that tells the tests the path of promtool.
const VARIABLE: &str = "PINTRACE_PROMTOOL";

/// Returns promtool from the cache, and fetches it first if necessary.
pub(super) fn obtain() -> Result<PathBuf> {
    package::program("prometheus", "usr/bin/promtool")
}

/// Returns Prometheus itself, likewise.
pub(super) fn prometheus() -> Result<PathBuf> {
    package::program("prometheus", "usr/bin/prometheus")
}

/// Runs the ignored tests that need promtool, and adds a row to the table.
pub(super) fn run(table: &mut ResultTable) -> Result<()> {
    let start = Instant::now();
    let promtool = match obtain() {
        Ok(promtool) => promtool,
        Err(error) => {
            eprintln!("xtask: promtool could not run: {error:#}");
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
