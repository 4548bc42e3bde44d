//! The options that all benchmarks share, and the end of each benchmark: prints the table, and checks or commits the
//! figures.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::compare::compare;
use super::result::{BenchResult, Member};
use super::table;

/// What to do with the figures.
#[derive(Args, Clone, Copy)]
pub(crate) struct CheckArgs {
    /// Compare the figures with the committed figures, and fail if one is worse than its margin allows
    #[arg(long)]
    check: bool,
    /// Replace the committed figures, in docs/performance
    #[arg(long, conflicts_with = "check")]
    update: bool,
}

impl CheckArgs {
    /// Fails before a long measurement if there is nothing to compare with.
    pub(crate) fn prepare(self, member: Member) -> Result<()> {
        if self.check {
            committed(member)?;
        }
        Ok(())
    }

    /// Prints the figures, and compares or replaces the committed figures if the user asked for it.
    pub(crate) fn conclude(self, member: Member, result: &BenchResult) -> Result<ExitCode> {
        print!("{}", table::text(result));
        if self.update {
            member.commit(result)?;
            println!("`cargo xtask bench report` rewrites docs/performance.md");
        }
        if !self.check {
            return Ok(ExitCode::SUCCESS);
        }
        let comparison = compare(&committed(member)?, result);
        for line in &comparison.improvements {
            println!("better: {line}; --update replaces the committed figure");
        }
        for line in &comparison.failures {
            println!("failed: {line}");
        }
        println!(
            "{} figures compared, {} failed",
            comparison.compared,
            comparison.failures.len()
        );
        Ok(if comparison.failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn committed(member: Member) -> Result<BenchResult> {
    member.committed()?.with_context(|| {
        let name = member.name();
        format!("`bench {name}` has no committed figures: `cargo xtask bench {name} --update` writes them")
    })
}
