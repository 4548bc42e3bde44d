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
mod shared_ring;
mod touch;
mod turn;
mod workload;

use std::ffi::CString;
use std::process::ExitCode;

use clap::Parser;
use nix::sys::prctl::set_name;
use nix::unistd::Pid;

use crate::cli::{Cli, Command, Common};
use crate::failure::{Explain, Result};
use crate::plan::Plan;

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
        pinning => Plan::of(pinning)?.map_or(Ok(()), |plan| {
            identify(&plan.common)?;
            run::execute(&plan)
        }),
    }
}

/// Takes the name asked for, and ties this process's life to its parent's if asked to.
fn identify(common: &Common) -> Result<()> {
    if let Some(parent) = common.die_with_parent {
        family::die_with(Pid::from_raw(parent));
    }
    if let Some(name) = &common.name {
        let name = CString::new(name.as_str()).failing("--name holds a NUL", "choose another name")?;
        set_name(&name).failing("cannot set the process's name", "choose another --name")?;
    }
    Ok(())
}
