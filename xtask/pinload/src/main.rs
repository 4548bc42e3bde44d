//! pinload: pins memory in every way user space can, and says exactly what it did, so that a tracer's figures
//! can be compared with it.

mod books;
mod check;
mod choice;
mod cli;
mod demo;
mod failure;
mod family;
mod gate;
mod holder;
mod kernel;
mod memory;
mod pins;
mod plan;
mod report;
mod run;
mod scenario;
mod shared_ring;
mod touch;
mod turn;
mod userfault;
mod workload;

use std::ffi::CString;
use std::process::ExitCode;

use clap::Parser;
use nix::sys::prctl::set_name;
use nix::unistd::Pid;

use crate::cli::{Cli, Command};
use crate::failure::{Explain, Result};
use crate::plan::Plan;
use crate::scenario::Stay;

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::All(arguments) => check::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Scenario { scenario } => {
            let Stay {
                name,
                die_with_parent,
                ..
            } = scenario.memory().stay;
            identify(name.as_deref(), die_with_parent)?;
            scenario::run(&scenario)
        }
        pinning => Plan::of(pinning)?.map_or(Ok(()), |plan| {
            identify(plan.common.name.as_deref(), plan.common.die_with_parent)?;
            run::execute(&plan)
        }),
    }
}

/// Takes the name asked for, and ties this process's life to its parent's if asked to.
fn identify(name: Option<&str>, parent: Option<i32>) -> Result<()> {
    if let Some(parent) = parent {
        family::die_with(Pid::from_raw(parent));
    }
    if let Some(name) = name {
        let name = CString::new(name).failing("--name holds a NUL", "choose another name")?;
        set_name(&name).failing("cannot set the process's name", "choose another --name")?;
    }
    Ok(())
}
