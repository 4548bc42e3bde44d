//! `cargo xtask findings`: runs the finding scenarios on each kernel and stores the findings, for
//! docs/findings.md and for the tests that compare later runs with them.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::test::{KernelList, guests, kernels};
use crate::{setup, workspace};

/// The file with the findings.
const FILE: &str = "pintrace/tests/fixtures/findings.json";

/// The options of `findings`.
#[derive(Args)]
pub(crate) struct FindingsTask {
    /// Kernels, such as 6.12
    #[arg(long, value_name = "KERNEL,...", value_parser = kernels, default_value = "5.10,6.1,6.12,7.3")]
    kernels: KernelList,
}

/// Table cells by series and scenario.
type CellsBySeries = BTreeMap<String, BTreeMap<String, String>>;

impl FindingsTask {
    /// Runs the scenarios. A kernel on which a test fails keeps its old findings.
    pub(crate) fn run(self) -> Result<ExitCode> {
        setup::rust()?;
        setup::bpf_linker()?;
        let file = workspace::root().join(FILE);
        // The tests compare findings with the file, so the file is emptied first.
        let text = fs::read_to_string(&file).unwrap_or_else(|_| "{}".to_owned());
        let mut found: CellsBySeries =
            serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        fs::write(&file, "{}\n").with_context(|| file.display().to_string())?;
        let mut code = ExitCode::SUCCESS;
        let outputs = guests::printed(&self.kernels.0, "findings::");
        for (kernel, output) in outputs.into_iter().flatten() {
            match output {
                Ok(text) => {
                    for (series, cells) in cells(&text) {
                        found.insert(series, cells);
                    }
                }
                Err(error) => {
                    eprintln!("xtask: {kernel}: {error:#}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        let text = serde_json::to_string_pretty(&found)? + "\n";
        fs::write(&file, text).with_context(|| file.display().to_string())?;
        println!("`INSTA_UPDATE=always cargo test -p pintrace` rewrites docs/findings.md");
        Ok(code)
    }
}

/// Parses the lines that the tests print: `finding`, series, scenario and cell, separated by tabs.
fn cells(text: &str) -> CellsBySeries {
    let mut found = CellsBySeries::new();
    for line in text.lines() {
        let mut fields = line.trim_end().split('\t');
        if let (Some("finding"), Some(series), Some(scenario), Some(cell)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        {
            let cells = found.entry(series.to_owned()).or_default();
            cells.insert(scenario.to_owned(), cell.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_and_other_lines_ignored() {
        let found = cells("test findings::x ... ok\nfinding\t6.12\tmremap\tsilent\r\nfinding\tbroken\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found["6.12"]["mremap"], "silent");
    }
}
