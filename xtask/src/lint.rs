//! `cargo xtask lint`: format, clippy, documentation, licences and sources of all crates.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::results::{ResultTable, TestCounts};
use crate::{process, setup, test, workspace};

/// Runs all checks and prints the table of results.
pub(crate) fn run() -> Result<ExitCode> {
    let mut table = ResultTable::default();
    fill(&mut table)?;
    Ok(test::close(&table))
}

/// Runs each check and adds its result to the table.
pub(crate) fn fill(table: &mut ResultTable) -> Result<()> {
    setup::rust()?;
    setup::bpf_linker()?;
    setup::cargo_deny()?;
    let mut check = |name: &str, command: &mut Command| {
        eprintln!("xtask: {name}");
        let start = Instant::now();
        let counts = match process::run(command) {
            Ok(()) => TestCounts::PASSED,
            Err(error) => {
                eprintln!("xtask: {error:#}");
                TestCounts::FAILED
            }
        };
        table.add(name, counts, start.elapsed());
    };
    check("format", &mut workspace::cargo(&["fmt", "--all", "--check"]));
    check(
        "clippy",
        &mut workspace::cargo(&[
            "clippy",
            "--quiet",
            "--all-targets",
            "--features",
            "pintrace/bench",
            "--",
            "-D",
            "warnings",
        ]),
    );
    let without = [
        "clippy",
        "--quiet",
        "--package",
        "pintrace",
        "--no-default-features",
        "--lib",
        "--tests",
        "--",
        "-D",
        "warnings",
    ];
    check("clippy, no features", &mut workspace::cargo(&without));
    // The tests that boot guests are not default targets.
    let guests = [
        "clippy",
        "--quiet",
        "--package",
        "xtask",
        "--package",
        "pintrace",
        "--test",
        "harness",
        "--test",
        "guest",
    ];
    check(
        "clippy, guest tests",
        workspace::cargo(&guests).args(["--", "-D", "warnings"]),
    );
    check("clippy, eBPF", &mut ebpf());
    check("documentation", &mut documentation());
    let deny = [
        "deny",
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    check("licences, sources", &mut workspace::cargo(&deny));
    Ok(())
}

/// The eBPF crate builds only for its own target, together with the `core` of the standard library.
fn ebpf() -> Command {
    let target = [
        "clippy",
        "--quiet",
        "--package",
        "pintrace-ebpf",
        "--target",
        "bpfel-unknown-none",
        "--all-features",
        "-Z",
        "build-std=core",
    ];
    let mut command = workspace::cargo(&target);
    // A target folder of its own: RUSTC_BOOTSTRAP would make cargo rebuild everything in the shared one.
    command
        .arg("--target-dir")
        .arg(workspace::root().join("target/ebpf-lint"));
    command.args(["--", "-D", "warnings"]).env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Documents all items, including private ones. The eBPF crate does not build for the host.
fn documentation() -> Command {
    let words = [
        "doc",
        "--quiet",
        "--workspace",
        "--exclude",
        "pintrace-ebpf",
        "--no-deps",
        "--document-private-items",
    ];
    let mut command = workspace::cargo(&words);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}
