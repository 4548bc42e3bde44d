//! pinload pins memory in every way that user space can, and reports exactly these pins, so that the figures of a
//! tracer can be compared with the report.

mod bench;
mod check;
mod child;
mod choice;
mod cli;
mod delayed_device;
mod delayed_reads;
mod demo;
mod failure;
mod hold;
mod holder;
mod holder_case;
mod hostile;
mod kernel;
mod memory;
mod network_disk;
mod page_scan;
mod pins;
mod pipe_lock;
mod plan;
mod range_change;
mod refused;
mod report;
mod run;
mod scenario;
mod self_read;
mod shared_ring;
mod slow_registration;
mod slow_swap;
mod userfault;
mod vmstat;
mod wait;
mod workload;

use std::ffi::CString;
use std::process::ExitCode;

use clap::Parser;
use nix::sys::prctl::set_name;
use nix::unistd::Pid;

use crate::cli::{ManyHolders, PinloadCli, PinloadCommand};
use crate::failure::{Explain, Failure, Result};
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
        PinloadCommand::Scenario { scenario } => {
            let HoldArgs {
                name,
                die_with_parent,
                ..
            } = scenario.memory().hold;
            identify(name.as_deref(), die_with_parent)?;
            scenario::run(&scenario)
        }
        PinloadCommand::Holder {
            many: Some(ManyHolders::Churn(arguments)),
            ..
        } => holder_case::churn(&arguments),
        PinloadCommand::Holder {
            many: Some(ManyHolders::OneFolio(arguments)),
            ..
        } => holder_case::one_folio(&arguments),
        PinloadCommand::Holder { case, .. } => {
            let case = case.ok_or_else(|| Failure::usage("no case is given", "see pinload holder --help"))?;
            identify(case.name.as_deref(), case.die_with_parent)?;
            holder_case::run(&case)
        }
        PinloadCommand::DelayedReads(arguments) => delayed_reads::run(&arguments),
        PinloadCommand::SlowRegistration(arguments) => slow_registration::run(&arguments),
        PinloadCommand::Refused(arguments) => refused::run(&arguments),
        PinloadCommand::Hostile(arguments) => hostile::run(&arguments),
        PinloadCommand::Bench(arguments) => bench::run(&arguments),
        PinloadCommand::Busy(arguments) => bench::run_busy(&arguments),
        PinloadCommand::WaitForParent => child::wait_as_new_program(),
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
