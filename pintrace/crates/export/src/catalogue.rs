//! The catalogue as Markdown: the tables of the README and of docs/findings.md are these, and a test holds them to it.

use pintrace_common::counters::Loss;

use pintrace_model::assessment;
use pintrace_model::field::metric::families;
use pintrace_model::field::process::COLUMNS;
use pintrace_model::finding::{FindingKind, Severity};
use pintrace_model::snapshot::Snapshot;

/// The columns of `top`.
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

/// The metrics of `serve`.
#[must_use]
pub fn metrics() -> String {
    let rows = families(&Snapshot::default()).into_iter().map(|family| {
        [
            format!("`{}`", family.metric.name),
            family.metric.kind.as_str().into(),
            family.help.into(),
        ]
    });
    table(["metric", "type", "meaning"], rows)
}

/// The reasons for loss.
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

/// The kinds of findings.
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

/// What each finding means, case by case, and what to do.
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
    use std::path::Path;

    use super::*;

    /// Replaces what stands between the markers of `name`; `None` without such markers.
    fn filled(readme: &str, name: &str, table: &str) -> Option<String> {
        let begin = format!("<!-- catalogue: {name} -->\n");
        let (before, rest) = readme.split_once(&begin)?;
        let (_, after) = rest.split_once("<!-- end -->")?;
        Some(format!("{before}{begin}{table}<!-- end -->{after}"))
    }

    /// `BLESS=1 cargo test` fills them in.
    #[test]
    fn the_documents_say_what_the_catalogue_says() {
        for document in ["README.md", "docs/findings.md"] {
            holds(document);
        }
    }

    fn holds(document: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../..")
            .join(document);
        let Ok(text) = fs::read_to_string(&path) else {
            return;
        };
        let mut right = text.clone();
        for (name, table) in [
            ("columns", columns()),
            ("metrics", metrics()),
            ("losses", losses()),
            ("findings", findings()),
            ("assessments", assessments()),
        ] {
            right = filled(&right, name, &table).unwrap_or(right);
        }
        if std::env::var_os("BLESS").is_some() && right != text {
            fs::write(&path, &right).unwrap();
            return;
        }
        assert_eq!(
            text, right,
            "{document} lags behind the catalogue: run the tests with BLESS=1"
        );
    }

    #[test]
    fn a_marked_place_is_filled_and_the_rest_is_kept() {
        let readme = "a\n<!-- catalogue: columns -->\nold\n<!-- end -->\nb\n";
        let right = filled(readme, "columns", "new\n").unwrap();
        assert_eq!(right, "a\n<!-- catalogue: columns -->\nnew\n<!-- end -->\nb\n");
        assert_eq!(filled(readme, "metrics", "new\n"), None);
        assert!(columns().contains("| `pid` | PID | "));
        assert!(metrics().contains("| `pintrace_held_pages` | gauge | "));
        assert!(losses().contains("| `ring_full` | kernel | "));
    }
}
