//! Renders the field catalogue as Markdown. A test compares the tables in docs with this module.

use pintrace_common::counters::Loss;

use pintrace_model::assessment;
use pintrace_model::field::Metric;
use pintrace_model::field::metric::families;
use pintrace_model::field::process::COLUMNS;
use pintrace_model::finding::{FindingKind, Severity};
use pintrace_model::snapshot::Snapshot;

/// Returns the table of the columns of `top`.
#[must_use]
pub fn columns() -> String {
    let rows = COLUMNS.iter().map(|column| {
        [
            format!("`{}`", column.id),
            column.title.into(),
            column.unit.as_str().into(),
            column.help.into(),
        ]
    });
    table(["id", "title", "unit", "meaning"], rows)
}

/// Returns the table of the metrics of `serve`.
#[must_use]
pub fn metrics() -> String {
    let rows = families(&Snapshot::default()).into_iter().map(|family| {
        [
            format!("`{}`", family.metric.name),
            family.metric.kind.as_str().into(),
            labels(family.metric),
            family.help.into(),
        ]
    });
    table(["metric", "type", "labels", "meaning"], rows)
}

/// Returns the labels of a metric, between commas.
fn labels(metric: Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    labels.join(", ")
}

/// Returns the table of the loss counters.
#[must_use]
pub fn losses() -> String {
    let rows = Loss::ALL.iter().map(|loss| {
        [
            format!("`{}`", loss.name()),
            loss.stage().into(),
            loss.help().into(),
        ]
    });
    table(["counter", "stage", "meaning"], rows)
}

/// Returns the table of the kinds of findings.
#[must_use]
pub fn findings() -> String {
    let rows = FindingKind::ALL.iter().map(|kind| {
        let has = |severity: &&Severity| {
            assessment::ALL
                .iter()
                .any(|assessment| assessment.kind == *kind && assessment.severity == **severity)
        };
        let severities: Vec<_> = Severity::ALL
            .iter()
            .filter(has)
            .map(|severity| severity.as_str())
            .collect();
        [format!("`{kind}`"), severities.join(", "), kind.help().into()]
    });
    table(["finding", "severity", "when"], rows)
}

/// Returns the table of the assessments: explanation and advice for each case of each kind of finding.
#[must_use]
pub fn assessments() -> String {
    let rows = assessment::ALL.iter().map(|assessment| {
        [
            format!("`{}`", assessment.kind),
            assessment.case.into(),
            assessment.severity.to_string(),
            assessment.explanation.into(),
            assessment.advice.into(),
        ]
    });
    table(["finding", "case", "severity", "meaning", "what to do"], rows)
}

fn table<const WIDTH: usize>(titles: [&str; WIDTH], rows: impl Iterator<Item = [String; WIDTH]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&titles.map(str::to_owned));
    text += &line(&titles.map(|_| "---".to_owned()));
    for row in rows {
        text += &line(&row.map(|cell| cell.replace('|', "\\|")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use pintrace_testing::expected_file::{assert_file, with_block};

    use super::*;

    /// The documents with tables of the catalogue.
    const DOCUMENTS: [&str; 4] = [
        "docs/columns.md",
        "docs/findings.md",
        "docs/loss.md",
        "docs/metrics.md",
    ];
    /// The name of the block that holds a table, and the function that renders the table.
    type Table = (&'static str, fn() -> String);

    const TABLES: [Table; 5] = [
        ("catalogue: columns", columns),
        ("catalogue: metrics", metrics),
        ("catalogue: losses", losses),
        ("catalogue: findings", findings),
        ("catalogue: assessments", assessments),
    ];

    fn path(document: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../..")
            .join(document)
    }

    /// `INSTA_UPDATE=always cargo test -p pintrace-export` rewrites the tables.
    #[test]
    fn the_tables_of_the_documents_match_the_catalogue() {
        for document in DOCUMENTS {
            let text = fs::read_to_string(path(document)).unwrap();
            let expected = TABLES.iter().fold(text, |text, (name, table)| {
                with_block(&text, name, &table()).unwrap_or(text)
            });
            assert_file(&path(document), &expected);
        }
    }

    #[test]
    fn each_table_is_in_one_document() {
        let texts = DOCUMENTS.map(|document| fs::read_to_string(path(document)).unwrap());
        for (name, table) in TABLES {
            let with_table = texts
                .iter()
                .filter(|text| with_block(text, name, &table()).is_some());
            assert_eq!(with_table.count(), 1, "{name}");
        }
    }

    #[test]
    fn a_row_has_the_name_and_its_properties() {
        assert!(columns().contains("| `pid` | PID | "));
        assert!(metrics().contains("| `pintrace_held_pages` | gauge | "));
        assert!(losses().contains("| `ring_full` | kernel | "));
    }
}
