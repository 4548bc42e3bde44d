//! pinload pins memory in every way that user space can, and reports exactly these pins, so that the figures of a
//! tracer can be compared with the report.

mod check;
mod child;
mod choice;
mod cli;
mod demo;
mod failure;
mod hold;
mod holder;
mod kernel;
mod memory;
mod pins;
mod pipe_lock;
mod plan;
mod range_change;
mod report;
mod run;
mod scenario;
mod shared_ring;
mod userfault;
mod vmstat;
mod wait;
mod workload;

use std::ffi::CString;
use std::process::ExitCode;

use clap::Parser;
use nix::sys::prctl::set_name;
use nix::unistd::Pid;

use crate::cli::{PinloadCli, PinloadCommand};
use crate::failure::{Explain, Result};
use crate::plan::WorkloadPlan;
use crate::scenario::HoldArgs;

fn main() -> ExitCode {
    match dispatch(PinloadCli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(command: PinloadCommand) -> Result<()> {
    match command {
        PinloadCommand::All(arguments) => check::run(&arguments),
        PinloadCommand::Demo(arguments) => demo::run(&arguments),
        PinloadCommand::AwaitParent => child::await_parent(),
        PinloadCommand::Scenario { scenario } => {
            let HoldArgs {
                name,
                die_with_parent,
                ..
            } = scenario.memory().hold;
            identify(name.as_deref(), die_with_parent)?;
            scenario::run(&scenario)
        }
        pinning => WorkloadPlan::of(pinning)?.map_or(Ok(()), |plan| {
            identify(plan.common.name.as_deref(), plan.common.die_with_parent)?;
            run::execute(&plan)
        }),
    }
}

/// Sets the name of the process, and lets the process die with its parent, if requested.
fn identify(name: Option<&str>, parent: Option<i32>) -> Result<()> {
    if let Some(parent) = parent {
        child::die_with(Pid::from_raw(parent));
    }
    if let Some(name) = name {
        let name = CString::new(name).failing("--name contains a NUL", "choose another name")?;
        set_name(&name).failing("cannot set the process's name", "choose another --name")?;
    }
    Ok(())
}
