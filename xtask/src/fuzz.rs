//! `cargo xtask fuzz`: runs each fuzz target of fuzz/ for some time. A target that finds a mistake prints the input and
//! keeps it in fuzz/artifacts.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{process, setup, workspace};

/// The options of `fuzz`.
#[derive(Args)]
pub(crate) struct FuzzTask {
    /// Seconds for each target, after its build
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// The targets; without any, all of them
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

impl FuzzTask {
    /// Runs the targets one after another, also after one has failed.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        setup::cargo_fuzz()?;
        let all = targets()?;
        if let Some(unknown) = self.targets.iter().find(|target| !all.contains(target)) {
            bail!("there is no target {unknown}; the targets are {}", all.join(", "));
        }
        let chosen = if self.targets.is_empty() {
            &all
        } else {
            &self.targets
        };
        let mut failed = Vec::new();
        for target in chosen {
            eprintln!("xtask: fuzzing {target} for {} s", self.seconds);
            let start = Instant::now();
            let mut command = workspace::cargo(&["fuzz", "run", target]);
            // The instrumentation is unstable; the pinned toolchain has it.
            command.env("RUSTC_BOOTSTRAP", "1").args([
                "--",
                &format!("-max_total_time={}", self.seconds),
                "-print_final_stats=1",
                "-max_len=8192",
            ]);
            if process::run(&mut command).is_err() {
                failed.push(target.as_str());
            }
            println!("{target}: {} s", start.elapsed().as_secs());
        }
        if failed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        println!("failed: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

/// Returns the names of the targets, by alphabet.
fn targets() -> Result<Vec<String>> {
    let folder = workspace::root().join("fuzz/targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_is_a_program_of_the_manifest() {
        let manifest = std::fs::read_to_string(workspace::root().join("fuzz/Cargo.toml")).unwrap();
        let mut named: Vec<_> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("path = \"targets/")?.strip_suffix(".rs\""))
            .collect();
        named.sort_unstable();
        assert_eq!(named, targets().unwrap());
    }
}
