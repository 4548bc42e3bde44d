//! `cargo xtask test`: runs the tests on this machine and the guest tests on each kernel, and prints a table with the
//! total.

mod guest_output;
mod guest_programs;
mod guest_run;
pub(crate) mod guests;
mod native;
mod parts;
mod promtool;
mod test_times;

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::results::{ResultTable, TestCounts};
use crate::test_output::OutputCounter;
use crate::vm::kernel_target::KernelTarget;
use crate::{process, setup, workspace};

use guest_run::GuestRun;
use parts::TestPart;

/// The options of `test`.
#[derive(Args)]
pub(crate) struct TestTask {
    /// Leave out all tests that boot a guest
    #[arg(long)]
    no_vm: bool,
    /// Leave out all tests that do not boot a guest
    #[arg(long, conflicts_with = "no_vm")]
    only_vm: bool,
    /// Kernels to test on, such as 6.12, 6.12-full or 7.3-rt, or `all`
    #[arg(long, value_name = "KERNEL,...|all", default_value = CHANGES, value_parser = kernels)]
    kernels: KernelList,
    /// Parts of the guest tests. Default: the core part with `all`, the parts that depend on the kernel with the
    /// default kernels, else all parts
    #[arg(long, value_enum, value_name = "PART,...", value_delimiter = ',')]
    part: Vec<TestPart>,
    /// Run only the tests of the systemd units, in guests with Debian's user space and systemd. A root file system of Debian
    /// is made first, which needs root
    #[arg(long, conflicts_with_all = ["no_vm", "part"])]
    systemd: bool,
    /// Arguments for the test program in the guests, such as a part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// The kernels on which each change is tested.
const CHANGES: &str = "5.10,6.1,6.12,newest";

/// The kernels of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelList(pub(crate) Vec<KernelTarget>);

impl TestTask {
    /// Returns a task that runs all tests, on the kernels on which each change is tested.
    pub(crate) fn everything() -> Result<Self> {
        let kernels = kernels(CHANGES).map_err(|error| anyhow!(error))?;
        Ok(Self {
            no_vm: false,
            only_vm: false,
            kernels,
            part: Vec::new(),
            systemd: false,
            arguments: Vec::new(),
        })
    }

    /// Runs the tests.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut table = ResultTable::default();
        self.fill(&mut table)?;
        Ok(close(&table))
    }

    /// Runs the tests and adds their results to the table.
    pub(crate) fn fill(&self, table: &mut ResultTable) -> Result<()> {
        setup::rust()?;
        setup::bpf_linker()?;
        if self.systemd {
            setup::guests()?;
            guests::run_systemd(&self.kernels.0, &self.arguments, table);
            return Ok(());
        }
        if !self.only_vm {
            if let Err(error) = setup::native() {
                eprintln!("xtask: tests that need missing tools are skipped: {error:#}");
            }
            cargo_test("host", &["--no-fail-fast"], table)?;
            native::run(table);
        }
        if !self.no_vm {
            setup::guests()?;
            if self.arguments.is_empty() {
                cargo_test(
                    "guest harness",
                    &["--package", "xtask", "--test", "harness"],
                    table,
                )?;
                if !self.only_vm {
                    promtool::run(table)?;
                }
            }
            guests::run(self.guest_runs(), table);
        }
        Ok(())
    }

    /// Returns what each guest runs.
    fn guest_runs(&self) -> Vec<GuestRun> {
        let kernels = self.kernels.0.iter();
        if self.arguments.is_empty() {
            kernels
                .flat_map(|&kernel| GuestRun::of_parts(kernel, self.parts(kernel)))
                .collect()
        } else {
            kernels
                .map(|&kernel| GuestRun::with_arguments(kernel, &self.arguments))
                .collect()
        }
    }

    /// Returns the parts of the guest tests for a kernel.
    fn parts(&self, target: KernelTarget) -> &[TestPart] {
        if !self.part.is_empty() {
            &self.part
        } else if self.kernels.0 == KernelTarget::all() {
            &[TestPart::Core]
        } else if kernels(CHANGES).is_ok_and(|changes| changes == self.kernels) {
            TestPart::of_change(target)
        } else {
            TestPart::EVERYTHING
        }
    }
}

/// Prints the table and returns the exit code.
pub(crate) fn close(table: &ResultTable) -> ExitCode {
    println!("{table}");
    if table.total().failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs `cargo test` with these options and adds a row to the table.
fn cargo_test(part: &str, options: &[&str], table: &mut ResultTable) -> Result<()> {
    let mut command = workspace::cargo(&["test"]);
    command.args(options).args(["--", "--show-output"]);
    add_row(part, command, table)
}

/// Runs test programs, which must print with `--show-output`, and adds a row to the table.
fn add_row(part: &str, command: Command, table: &mut ResultTable) -> Result<()> {
    let start = Instant::now();
    let counts = run_and_count(command)?;
    table.add(part, counts, start.elapsed());
    Ok(())
}

/// Runs test programs, which must print with `--show-output`; shows their output and counts the results.
fn run_and_count(mut command: Command) -> Result<TestCounts> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| process::cannot_start(&command))?;
    let output = child.stdout.take().context("the test program has no output")?;
    let mut counter = OutputCounter::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        if counter.line(&line) {
            println!("{line}");
        }
    }
    Ok(counter.counts(child.wait()?.success()))
}

/// Parses kernels separated by commas, or `all`.
pub(crate) fn kernels(text: &str) -> Result<KernelList, String> {
    match text {
        "all" => Ok(KernelList(KernelTarget::all())),
        names => names
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(KernelList),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(kernels: &str) -> TestTask {
        TestTask {
            kernels: super::kernels(kernels).unwrap(),
            ..TestTask::everything().unwrap()
        }
    }

    #[test]
    fn kernels_are_read_between_commas() {
        assert_eq!(kernels("all").unwrap().0, KernelTarget::all());
        assert_eq!(kernels("6.1,newest").unwrap().0.len(), 2);
        assert!(kernels("6.1,6.6").unwrap_err().contains("6.12"));
    }

    #[test]
    fn more_kernels_run_fewer_tests_each() {
        let on = |kernels: &str, target: &str| test(kernels).parts(target.parse().unwrap()).len();
        let everything = on("6.12", "6.12");
        let change = on(CHANGES, "6.12");
        let core = on("all", "6.12");
        assert!(core < change && change < everything);
    }
}
