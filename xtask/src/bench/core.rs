//! `cargo xtask bench core`: what a pin and its release cost in the ledger, natively.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{process, setup};

/// Runs the bench target of pintrace, which loads programs and so needs root.
pub(crate) fn run() -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!("bench core loads eBPF programs on this machine: run it as root");
    }
    setup::rust()?;
    setup::bpf_linker()?;
    let mut cargo = process::program("cargo");
    cargo.args([
        "bench",
        "--quiet",
        "--package",
        "pintrace",
        "--features",
        "bench",
        "--bench",
        "core",
    ]);
    let status = cargo.status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
