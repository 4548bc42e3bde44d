//! The project's own tasks: `cargo xtask COMMAND`.

mod bench;
mod ci;
mod demo;
mod facts;
mod findings;
mod fuzz;
mod lint;
mod process;
mod results;
mod run;
mod screenshots;
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
    /// Run commands on Debian's kernels in an emulator
    #[command(subcommand)]
    Vm(Box<vm::VmTask>),
    /// Build pintrace in release and run it
    Run(run::RunTask),
    /// Open `pintrace top` in a guest in which processes pin memory
    Demo(demo::DemoTask),
    /// Draw the pictures of docs/tour.md from a recording, or compare them
    Screenshots(screenshots::ScreenshotsTask),
    /// Check format, clippy, documentation and licences
    Lint,
    /// Run the tests, on this machine and on each kernel
    Test(test::TestTask),
    /// Capture the facts of each kernel, as fixtures for the tests of the attach plan
    Facts(facts::FactsTask),
    /// Capture the findings of each scenario on each kernel
    Findings(findings::FindingsTask),
    /// Run the fuzz targets of the parsers, each for some time
    Fuzz(fuzz::FuzzTask),
    /// Run third-party programs and check their findings
    ThirdParty(third_party::ThirdPartyTask),
    /// Measure the cost of pintrace
    #[command(subcommand)]
    Bench(bench::BenchTask),
    /// Run everything that a change must pass
    Ci,
}

impl Task {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Setup => setup::run(),
            Self::Vm(vm) => vm.run(),
            Self::Run(run) => run.run(),
            Self::Demo(demo) => demo.run(),
            Self::Screenshots(screenshots) => screenshots.run(),
            Self::Lint => lint::run(),
            Self::Test(test) => test.run(),
            Self::Facts(facts) => facts.run(),
            Self::Findings(findings) => findings.run(),
            Self::Fuzz(fuzz) => fuzz.run(),
            Self::ThirdParty(third_party) => third_party.run(),
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

/// Returns true if the reader of the output has closed its pipe.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
