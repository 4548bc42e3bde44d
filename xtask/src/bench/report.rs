//! `cargo xtask bench report`: writes docs/performance.md, its plots, and the table of the costs in docs/own-cost.md
//! from the committed figures.

mod cost_table;
mod curves;
mod growth;
mod kernel_maps;
mod line_plot;
mod page;
mod plot;
mod plots;
mod targets;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::result::{BenchResult, FOLDER, Member};
use crate::workspace;

/// The page with the table of the costs.
const COST_PAGE: &str = "docs/own-cost.md";

/// A file that the report consists of.
struct ReportFile {
    /// The path from the root of the checkout.
    path: String,
    text: String,
}

/// Writes the files.
pub(crate) fn run() -> Result<ExitCode> {
    for file in files(&Member::committed)? {
        let path = file.path();
        fs::write(&path, &file.text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", file.path);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the page and its plots. `committed` returns the figures of a benchmark.
fn files(committed: &dyn Fn(Member) -> Result<Option<BenchResult>>) -> Result<Vec<ReportFile>> {
    let mut results = Vec::new();
    let mut files = Vec::new();
    for member in Member::ALL {
        let result = committed(member)?;
        for (name, text) in result.iter().flat_map(|result| plots::of(member, result)) {
            let path = format!("{FOLDER}/{name}.svg");
            files.push(ReportFile { path, text });
        }
        results.push((member, result));
    }
    files.push(ReportFile {
        path: "docs/performance.md".to_owned(),
        text: page::text(&results),
    });
    let page = fs::read_to_string(workspace::root().join(COST_PAGE)).context(COST_PAGE)?;
    let text = cost_table::text(&page, &results);
    files.push(ReportFile {
        path: COST_PAGE.to_owned(),
        text: text.with_context(|| format!("{COST_PAGE} has no place for the table of the costs"))?,
    });
    Ok(files)
}

impl ReportFile {
    fn path(&self) -> PathBuf {
        workspace::root().join(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_report_is_current() {
        for file in files(&Member::committed).unwrap() {
            let stored = fs::read_to_string(file.path()).unwrap_or_default();
            assert!(
                stored == file.text,
                "{} is not current: run `cargo xtask bench report`",
                file.path
            );
        }
    }

    #[test]
    fn a_benchmark_without_figures_is_not_measured() {
        let files = files(&|_| Ok(None)).unwrap();
        assert_eq!(files.len(), 2);
        // The targets have a cell of the table each, and the sections a line.
        let lines = files[0].text.lines().filter(|line| *line == "not measured");
        assert_eq!(lines.count(), Member::ALL.len());
    }
}
