//! `cargo xtask test`: the pure tests here, then the guest tests on each kernel, and one closing line over everything.

mod guests;
mod promtool;

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::tally::{Table, Tally};
use crate::vm::series::{ON_OFFER, Wanted};
use crate::{process, setup, workspace};

/// The options of `test`.
#[derive(Args)]
pub(crate) struct Test {
    /// Leave out everything that boots a guest
    #[arg(long)]
    no_vm: bool,
    /// Leave out everything that does not
    #[arg(long, conflicts_with = "no_vm")]
    only_vm: bool,
    /// Kernel series to test on, or `all`
    #[arg(long, value_name = "SERIES,...|all", default_value = "6.1,6.12,7.3", value_parser = kernels)]
    kernels: Kernels,
    /// Arguments for the test program in the guests, such as a part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// The kernels that an option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kernels(pub(crate) Vec<Wanted>);

impl Test {
    /// Everything, on the kernels that each change is tested on.
    pub(crate) fn everything() -> Result<Self> {
        let kernels = kernels("6.1,6.12,7.3").map_err(|error| anyhow!(error))?;
        Ok(Self {
            no_vm: false,
            only_vm: false,
            kernels,
            arguments: Vec::new(),
        })
    }

    /// Does it.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut table = Table::default();
        self.fill(&mut table)?;
        Ok(close(&table))
    }

    /// Runs the tests and adds their results to the table.
    pub(crate) fn fill(&self, table: &mut Table) -> Result<()> {
        setup::rust()?;
        setup::bpf_linker()?;
        if !self.only_vm {
            pure("host", &["test", "--no-fail-fast"], table)?;
            let without = [
                "test",
                "--no-fail-fast",
                "--package",
                "pintrace",
                "--no-default-features",
                "--lib",
            ];
            pure("host, no features", &without, table)?;
        }
        if !self.no_vm {
            setup::guests()?;
            if self.arguments.is_empty() {
                pure(
                    "guest harness",
                    &["test", "--package", "xtask", "--test", "harness"],
                    table,
                )?;
                if !self.only_vm {
                    promtool::run(table)?;
                }
            }
            guests::run(&self.kernels.0, &self.arguments, table);
        }
        Ok(())
    }
}

/// Prints the table and gives the exit code.
pub(crate) fn close(table: &Table) -> ExitCode {
    println!("{table}");
    if table.total().failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn pure(part: &str, words: &[&str], table: &mut Table) -> Result<()> {
    counted(part, workspace::cargo(words), table)
}

/// Runs a test program and adds its row to the table.
fn counted(part: &str, command: Command, table: &mut Table) -> Result<()> {
    let start = Instant::now();
    let tally = passed_on(command)?;
    table.add(part, tally, start.elapsed());
    Ok(())
}

/// Runs a test program, passes its output on as it comes, and reads the results from it.
fn passed_on(mut command: Command) -> Result<Tally> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| process::cannot_start(&command))?;
    let mut text = String::new();
    for line in BufReader::new(
        child
            .stdout
            .take()
            .ok_or_else(|| anyhow!("cargo has no output"))?,
    )
    .lines()
    {
        let line = line?;
        println!("{line}");
        text.push_str(&line);
        text.push('\n');
    }
    Ok(Tally::of_run(&text, child.wait()?.success()))
}

/// Reads series between commas, or `all`.
pub(crate) fn kernels(text: &str) -> Result<Kernels, String> {
    match text {
        "all" => Ok(Kernels(ON_OFFER.map(Wanted::Series).to_vec())),
        names => names
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Kernels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_every_series_on_offer() {
        assert_eq!(kernels("all").unwrap().0.len(), ON_OFFER.len());
        assert_eq!(kernels("6.1,newest").unwrap().0.len(), 2);
        assert!(kernels("6.1,6.6").unwrap_err().contains("6.12"));
    }
}
