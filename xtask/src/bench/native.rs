//! `cargo xtask bench core` and `scan`: the benchmarks of pintrace that load BPF programs on this machine.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{process, setup};

/// Runs a benchmark. `features` are the cargo options for the features of the benchmark.
pub(crate) fn run(name: &str, features: &[&str]) -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!("bench {name} loads eBPF programs on this machine: run it as root");
    }
    setup::rust()?;
    setup::bpf_linker()?;
    let mut cargo = process::program("cargo");
    cargo
        .args(["bench", "--quiet", "--package", "pintrace", "--bench", name])
        .args(features);
    let status = cargo.status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
