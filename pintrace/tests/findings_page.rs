//! docs/findings.md has a table of the findings in guests (`cargo xtask findings`). `INSTA_UPDATE=always cargo test
//! -p pintrace` rewrites the table.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pintrace_model::finding::FindingKind;
use pintrace_testing::expected_file::{assert_file, with_block};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings.md")
}

/// `6.12` as numbers.
fn series(name: &str) -> (u32, u32) {
    let (major, minor) = name.split_once('.').unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}

fn table() -> String {
    let found: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(include_str!("fixtures/findings.json")).unwrap();
    let mut kernels: Vec<_> = found.keys().collect();
    kernels.sort_by_key(|name| series(name));
    let names: Vec<_> = kernels.iter().map(|name| name.as_str()).collect();
    let mut table = format!(
        "| scenario | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(kernels.len())
    );
    let scenarios: BTreeSet<_> = found.values().flat_map(BTreeMap::keys).collect();
    for scenario in scenarios {
        let cells: Vec<_> = kernels
            .iter()
            .map(|kernel| found[*kernel].get(scenario).map_or("", String::as_str))
            .map(|cell| cell.replace("; ", "<br>"))
            .collect();
        let shown = scenario.replace(" --reserve", "");
        writeln!(table, "| {shown} | {} |", cells.join(" | ")).unwrap();
    }
    table
}

#[test]
fn the_table_has_the_findings_on_file() {
    let text = std::fs::read_to_string(page()).unwrap();
    assert_file(&page(), &with_block(&text, "scenarios", &table()).unwrap());
}

#[test]
fn every_kind_is_explained() {
    let text = std::fs::read_to_string(page()).unwrap();
    let titles: Vec<_> = text.lines().filter(|line| line.starts_with("## ")).collect();
    for kind in FindingKind::ALL {
        let explained = titles.iter().any(|title| title.contains(kind.as_str()));
        assert!(explained, "{}", kind.as_str());
    }
}
