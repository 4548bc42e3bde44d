//! `cargo xtask lint`: checks format, clippy, documentation, licences and sources of all crates, and each crate alone.

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
    for (name, commands) in checks()? {
        eprintln!("xtask: {name}");
        let start = Instant::now();
        let mut counts = TestCounts::PASSED;
        for mut command in commands {
            if let Err(error) = process::run(&mut command) {
                eprintln!("xtask: {error:#}");
                counts = TestCounts::FAILED;
            }
        }
        table.add(name, counts, start.elapsed());
    }
    Ok(())
}

/// Returns the name of each check with its commands, which must all succeed.
fn checks() -> Result<Vec<(&'static str, Vec<Command>)>> {
    let format = workspace::cargo(&["fmt", "--all", "--check"]);
    let deny = [
        "deny",
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    Ok(vec![
        ("format", vec![format]),
        (
            "clippy",
            vec![clippy(&["--all-targets", "--features", "pintrace/bench"])],
        ),
        ("clippy, guest tests", vec![clippy(&GUEST_TESTS)]),
        ("clippy, eBPF", vec![ebpf()]),
        ("each crate alone", each_crate_alone()?),
        ("documentation", vec![documentation()]),
        ("licences, sources", vec![workspace::cargo(&deny)]),
    ])
}

/// The tests that boot guests, which are not default targets.
const GUEST_TESTS: [&str; 8] = [
    "--package",
    "xtask",
    "--package",
    "pintrace",
    "--test",
    "harness",
    "--test",
    "guest",
];

fn clippy(options: &[&str]) -> Command {
    let mut command = workspace::cargo(&["clippy", "--quiet"]);
    command.args(options).args(["--", "-D", "warnings"]);
    command
}

/// The eBPF crate builds only for its own target, together with the `core` of the standard library.
fn ebpf() -> Command {
    let options = [
        "--package",
        "pintrace-ebpf",
        "--target",
        "bpfel-unknown-none",
        "--all-features",
        "-Z",
        "build-std=core",
        "--target-dir",
    ];
    let mut command = workspace::cargo(&["clippy", "--quiet"]);
    // A separate target folder, because RUSTC_BOOTSTRAP makes cargo rebuild everything in the shared target folder.
    command
        .args(options)
        .arg(workspace::root().join("target/ebpf-lint"));
    command.args(["--", "-D", "warnings"]).env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Checks each crate alone. In a build of the whole workspace, a crate also gets features of common dependencies that
/// only other crates enable.
fn each_crate_alone() -> Result<Vec<Command>> {
    let check = |name: String| workspace::cargo(&["check", "--quiet", "--package", &name]);
    Ok(workspace::crates()?.into_iter().map(check).collect())
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
