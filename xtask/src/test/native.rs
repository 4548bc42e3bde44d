//! The guest tests that need no hooks, run on this machine: these tests scan memory and trace nothing.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::results::{ResultTable, TestCounts};
use crate::{process, setup, workspace};

/// The modules of these tests.
const MODULES: [&str; 3] = ["holders::", "scan::", "scan_implausible::"];

/// Runs the tests and adds a row to the table.
pub(super) fn run(table: &mut ResultTable) {
    let start = Instant::now();
    let counts = test().unwrap_or_else(|error| {
        eprintln!("xtask: the scan tests could not run on this machine: {error:#}");
        TestCounts::FAILED
    });
    table.add("scan, natively", counts, start.elapsed());
}

fn test() -> Result<TestCounts> {
    setup::native()?;
    // The static binaries for guests also run on this machine, which saves a second build.
    let for_guests = ["--release", "--target", workspace::GUEST_TARGET];
    let target: &[&str] = if process::exists(setup::MUSL_COMPILER) {
        &for_guests
    } else {
        &[]
    };
    let build = |name: &str, words: &[&str]| workspace::build(name, &[words, target].concat());
    let tests = ["test", "--no-run", "--package", "pintrace", "--test", "guest"];
    let tests = build("guest", &tests)?;
    let folder = |name: &str| -> Result<_> {
        let program = build(name, &["build", "--package", name, "--bin", name])?;
        let folder = program.parent().map(Path::to_owned);
        folder.context("a program lies in a folder")
    };
    let mut path = vec![folder("pintrace")?, folder("pinload")?];
    path.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let mut command = process::program(&tests);
    command
        // Here the long tests of these modules are short enough.
        .args(["--test-threads=1", "--show-output", "--include-ignored"])
        .args(MODULES)
        .env("PATH", std::env::join_paths(path)?)
        .env("PINTRACE_TEST_DISK", workspace::root().join("target"));
    super::run_and_count(command)
}
