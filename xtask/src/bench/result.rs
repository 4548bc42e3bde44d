//! The results of a benchmark, and the file with the committed results.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::figure::Figure;
use crate::workspace;

/// The folder with the committed results and the plots of docs/performance.md.
pub(crate) const FOLDER: &str = "docs/performance";

/// A benchmark that has committed results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// `bench overhead`.
    Overhead,
    /// `bench attach`.
    Attach,
    /// `bench lost-calls`.
    LostCalls,
    /// `bench programs`.
    Programs,
    /// `bench daemon`.
    Daemon,
    /// `bench top`.
    Top,
    /// `bench core`.
    Core,
    /// `bench scan`.
    Scan,
    /// `bench user`.
    User,
    /// `bench tui`.
    Tui,
}

/// The results of one benchmark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BenchResult {
    /// The machine, or the machine and the emulator, of the last measurement.
    pub(crate) machine: String,
    /// The kernel of each place.
    pub(crate) kernels: Vec<String>,
    /// The figures, in the order of the table.
    pub(crate) figures: Vec<Figure>,
}

impl Member {
    /// Each member, in the order of the report.
    pub(crate) const ALL: [Self; 10] = [
        Self::Overhead,
        Self::Attach,
        Self::LostCalls,
        Self::Programs,
        Self::Daemon,
        Self::Top,
        Self::Core,
        Self::User,
        Self::Scan,
        Self::Tui,
    ];

    /// Returns the name of the subcommand.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Overhead => "overhead",
            Self::Attach => "attach",
            Self::LostCalls => "lost-calls",
            Self::Programs => "programs",
            Self::Daemon => "daemon",
            Self::Top => "top",
            Self::Core => "core",
            Self::Scan => "scan",
            Self::User => "user",
            Self::Tui => "tui",
        }
    }

    /// Returns the path of the committed results.
    pub(crate) fn file(self) -> PathBuf {
        workspace::root()
            .join(FOLDER)
            .join(format!("{}.json", self.name()))
    }

    /// Returns the committed results, or `None` if the benchmark was never committed.
    pub(crate) fn committed(self) -> Result<Option<BenchResult>> {
        let file = self.file();
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let result = serde_json::from_str(&text).with_context(|| {
            let name = self.name();
            format!(
                "{} holds no results: remove the file and run `cargo xtask bench {name} --update`",
                file.display()
            )
        })?;
        Ok(Some(result))
    }

    /// Writes the committed results. Figures of places that `result` does not have are kept.
    pub(crate) fn commit(self, result: &BenchResult) -> Result<()> {
        let merged = self
            .committed()?
            .map_or_else(|| result.clone(), |committed| committed.merged(result));
        let file = self.file();
        let text = serde_json::to_string_pretty(&merged)? + "\n";
        fs::create_dir_all(workspace::root().join(FOLDER))
            .and_then(|()| fs::write(&file, text))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

impl BenchResult {
    /// Returns true if a figure was measured at this place.
    pub(crate) fn has_place(&self, place: &str) -> bool {
        self.figures.iter().any(|figure| figure.place == place)
    }

    /// Returns each value of a key of the figures once, in their order.
    pub(crate) fn distinct<'a>(&'a self, key: impl Fn(&'a Figure) -> &'a str) -> Vec<&'a str> {
        let mut keys = Vec::new();
        for figure in &self.figures {
            if !keys.contains(&key(figure)) {
                keys.push(key(figure));
            }
        }
        keys
    }

    /// Returns these results, in which `newer` replaces all figures of the places of `newer`.
    fn merged(self, newer: &Self) -> Self {
        let kept = self
            .figures
            .into_iter()
            .filter(|figure| !newer.has_place(&figure.place));
        let mut figures: Vec<Figure> = kept.chain(newer.figures.iter().cloned()).collect();
        figures.sort_by_key(|figure| place_order(&figure.place));
        let replaced = |kernel: &str| {
            let place = kernel.split(':').next().unwrap_or_default();
            newer.has_place(place)
        };
        let kept = self.kernels.into_iter().filter(|kernel| !replaced(kernel));
        let mut kernels: Vec<String> = kept.chain(newer.kernels.iter().cloned()).collect();
        kernels.sort_by_key(|kernel| place_order(kernel));
        Self {
            machine: newer.machine.clone(),
            kernels,
            figures,
        }
    }
}

/// Orders places by the numbers in their names: 6.12 follows 6.1.
fn place_order(place: &str) -> Vec<u32> {
    let series = place.split([':', '-']).next().unwrap_or_default();
    series.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::figure::Better;
    use super::super::figure::tests::figure;
    use super::*;

    fn at(place: &str, ratio: f64) -> BenchResult {
        BenchResult {
            machine: format!("machine {ratio}"),
            kernels: vec![format!("{place}: build {ratio}")],
            figures: vec![Figure {
                place: place.to_owned(),
                ..figure("fork", "record", ratio, Better::Lower)
            }],
        }
    }

    #[test]
    fn newer_figures_replace_those_of_their_place() {
        let merged = at("7.3", 1.0).merged(&at("6.12", 2.0)).merged(&at("7.3", 3.0));
        assert_eq!(merged.distinct(|figure| &figure.place), ["6.12", "7.3"]);
        assert_eq!(merged.kernels, ["6.12: build 2", "7.3: build 3"]);
        assert_eq!(merged.machine, "machine 3");
        assert_eq!(
            merged.figures.iter().map(Figure::compared).collect::<Vec<_>>(),
            [2.0, 3.0]
        );
    }

    #[test]
    fn places_are_ordered_by_number() {
        assert!(place_order("6.12") > place_order("6.1"));
        assert!(place_order("7.3-rt: x") > place_order("6.12"));
    }
}
