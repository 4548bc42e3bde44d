//! The project's own tasks: `cargo xtask COMMAND`.

mod process;
mod setup;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own tasks
#[derive(Parser)]
#[command(name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing on this machine
    Setup(setup::Setup),
    /// Run things on Debian's kernels in an emulator
    #[command(subcommand)]
    Vm(vm::Vm),
}

impl Task {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Setup(setup) => setup.run(),
            Self::Vm(vm) => vm.run(),
        }
    }
}

fn main() -> ExitCode {
    Arguments::parse().task.run().unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
