//! The project's own tasks: `cargo xtask COMMAND`.

mod bench;
mod book;
mod ci;
mod demo;
mod dist;
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
    /// Build the pages of docs as a book
    Book(book::BookTask),
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
    /// Make the files of a release: tarball, packages, debug file, list of components
    Dist(dist::DistTask),
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
            Self::Book(book) => book.run(),
            Self::Lint => lint::run(),
            Self::Test(test) => test.run(),
            Self::Facts(facts) => facts.run(),
            Self::Findings(findings) => findings.run(),
            Self::Fuzz(fuzz) => fuzz.run(),
            Self::ThirdParty(third_party) => third_party.run(),
            Self::Bench(bench) => bench.run(),
            Self::Dist(dist) => dist.run(),
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;
    use pintrace_testing::documents::shell;
    use pintrace_testing::documents::{self, spans};

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn each_task_in_a_shell_block_of_the_pages_is_accepted() {
        let documents = documents::all().unwrap();
        let all = documents
            .iter()
            .flat_map(|document| shell::commands(document).unwrap());
        let tasks: Vec<_> = all
            .filter(|command| command.begins_with(&["cargo", "xtask"]))
            .collect();
        assert!(tasks.len() > 30, "only {} tasks", tasks.len());
        for task in tasks {
            let Err(error) = Arguments::try_parse_from(&task.words[1..]) else {
                continue;
            };
            assert_eq!(
                error.kind(),
                ErrorKind::DisplayHelp,
                "{}: `{}`\n{error}",
                task.place,
                task.words.join(" ")
            );
        }
    }

    #[test]
    fn each_task_in_the_text_of_the_pages_has_known_options() {
        let mut count = 0;
        for document in documents::all().unwrap() {
            for span in spans::beginning_with(&document, "cargo xtask") {
                let unknown = spans::unknown_word(&span, &Arguments::command());
                assert_eq!(unknown, None, "{}: `cargo xtask {span}`", document.path);
                count += 1;
            }
        }
        assert!(count > 10, "only {count} tasks");
    }
}
