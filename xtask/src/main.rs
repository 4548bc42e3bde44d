//! The project's own tasks: `cargo xtask COMMAND`.

mod bench;
mod ci;
mod demo;
mod facts;
mod findings;
mod lint;
mod process;
mod results;
mod run;
mod setup;
mod test;
mod test_output;
mod third_party;
mod vm;
mod workspace;

use std::io;
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
    Setup,
    /// Run things on Debian's kernels in an emulator
    #[command(subcommand)]
    Vm(Box<vm::VmTask>),
    /// KernelBuild pintrace in release and run it
    Run(run::RunTask),
    /// Open `pintrace top` in a guest in which things pin memory
    Demo(demo::DemoTask),
    /// Check format, clippy, licences
    Lint,
    /// Run the tests, here and on each kernel
    Test(test::TestTask),
    /// Write down what each kernel offers, for the tests of the planner
    Facts(facts::FactsTask),
    /// Write down what is found in each scenario on each kernel
    Findings(findings::FindingsTask),
    /// Look for findings in programs that are not ours
    ThirdParty(third_party::ThirdPartyTask),
    /// Measure what pintrace costs
    #[command(subcommand)]
    Bench(bench::BenchTask),
    /// Do all that a change must pass
    Ci,
}

impl Task {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Setup => setup::run(),
            Self::Vm(vm) => vm.run(),
            Self::Run(run) => run.run(),
            Self::Demo(demo) => demo.run(),
            Self::Lint => lint::run(),
            Self::Test(test) => test.run(),
            Self::Facts(facts) => facts.run(),
            Self::Findings(findings) => findings.run(),
            Self::ThirdParty(others) => others.run(),
            Self::Bench(bench) => bench.run(),
            Self::Ci => ci::run(),
        }
    }
}

fn main() -> ExitCode {
    Arguments::parse().task.run().unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

/// Whoever read our output has had enough of it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
