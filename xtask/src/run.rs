//! `cargo xtask run`: builds pintrace in release and replaces this process by pintrace, through sudo unless root.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::{process, setup, workspace};

/// The options of `run`.
#[derive(Args)]
pub(crate) struct RunTask {
    /// Arguments for pintrace
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl RunTask {
    /// Executes pintrace; returns only on failure.
    pub(crate) fn run(self) -> Result<ExitCode> {
        setup::rust()?;
        setup::bpf_linker()?;
        let pintrace = workspace::build(
            "pintrace",
            &["build", "--release", "--package", "pintrace", "--bin", "pintrace"],
        )?;
        let mut command = if rustix::process::geteuid().is_root() {
            process::program(pintrace)
        } else {
            let mut sudo = process::program("sudo");
            sudo.arg("--").arg(pintrace);
            sudo
        };
        command.args(self.arguments);
        Err(command.exec()).with_context(|| process::cannot_start(&command))
    }
}
