//! `cargo xtask bench core` and `scan`: the benchmarks of pintrace that load BPF programs on this machine.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{process, setup, workspace};

/// Runs a benchmark. `features` are the cargo options for the features of the benchmark.
pub(crate) fn run(name: &str, features: &[&str]) -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!("bench {name} loads eBPF programs on this machine: run it as root");
    }
    setup::rust()?;
    setup::bpf_linker()?;
    let bench = [
        "bench",
        "--no-run",
        "--quiet",
        "--package",
        "pintrace",
        "--bench",
        name,
    ];
    let program = workspace::build(name, &[&bench, features].concat())?;
    let mut command = process::program(program);
    // As cargo calls a benchmark.
    let status = command.arg("--bench").current_dir(workspace::root()).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
