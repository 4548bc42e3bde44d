//! The files in `dashboards/` use only metrics that exist.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use pintrace_model::Model;
use pintrace_model::field::metric::families;
use pintrace_model::field::{Metric, MetricKind};
use pintrace_model::finding::{FindingKind, Severity};
use pintrace_tui::View;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("pintrace.json")).unwrap()
}

/// Returns the names of metrics in a text: the words that begin with `pintrace_`.
fn mentioned(text: &str) -> BTreeSet<String> {
    let word = |part: &str| {
        part.split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
            .next()
            .unwrap()
            .to_owned()
    };
    text.match_indices("pintrace_")
        .map(|(start, _)| word(&text[start..]))
        .collect()
}

fn known() -> BTreeSet<String> {
    families(&Model::default().snapshot())
        .iter()
        .flat_map(|family| series(family.metric))
        .collect()
}

/// Returns the names of the series of a metric.
fn series(metric: Metric) -> Vec<String> {
    let suffixes: &[&str] = match metric.kind {
        MetricKind::Counter | MetricKind::Gauge => &[""],
        MetricKind::Histogram => &["_bucket", "_sum", "_count"],
    };
    let name = metric.name;
    suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect()
}

/// Collects the strings of all fields with a name, at any depth.
fn strings(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == key => found.push(text.clone()),
                    value => strings(value, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, key, found)),
        _ => {}
    }
}

fn expressions() -> Vec<String> {
    let mut found = Vec::new();
    strings(&dashboard(), "expr", &mut found);
    assert!(found.len() > 10);
    strings(&dashboard(), "definition", &mut found);
    found
}

#[test]
fn every_metric_of_the_dashboard_exists() {
    for expression in expressions() {
        let mentioned = mentioned(&expression);
        assert!(!mentioned.is_empty(), "{expression}");
        assert!(mentioned.is_subset(&known()), "{expression}");
    }
}

#[test]
fn every_metric_of_the_alerts_exists() {
    for name in ["alerts.yml", "alerts_test.yml"] {
        let text = read(name);
        let mentioned = mentioned(&text);
        assert!(mentioned.len() > 3, "{name}");
        assert!(mentioned.is_subset(&known()), "{name}: {mentioned:?}");
    }
}

#[test]
fn each_alert_has_its_section_of_the_page_as_runbook() {
    let rules = read("alerts.yml");
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 5, "{}", alerts.len());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        let runbook = format!("runbook: docs/alerts.md#{}", name.to_lowercase());
        assert!(
            alert.lines().any(|line| line.trim() == runbook),
            "{name}: {runbook}"
        );
        let page = read("../docs/alerts.md");
        assert!(page.lines().any(|line| line == format!("## {name}")), "{name}");
    }
}

#[test]
fn every_metric_of_findings_flush_windows_and_the_own_cost_has_a_panel() {
    let shown: BTreeSet<String> = expressions().iter().flat_map(|text| mentioned(text)).collect();
    let beginnings = ["find", "flush", "program_", "map_", "ring_", "process_"];
    let about = |name: &&String| {
        let rest = name.strip_prefix("pintrace_").unwrap();
        beginnings.iter().any(|beginning| rest.starts_with(beginning))
    };
    let known = known();
    let wanted: Vec<_> = known.iter().filter(about).collect();
    assert!(wanted.len() > 14, "{wanted:?}");
    for name in wanted {
        assert!(shown.contains(name), "{name} has no panel");
    }
}

/// Returns the values of a label in selectors `label="value"`.
fn selected(text: &str, label: &str) -> BTreeSet<String> {
    let begin = format!("{label}=\"");
    text.match_indices(&begin)
        .filter_map(|(start, _)| text[start + begin.len()..].split('"').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn severities_and_kinds_in_selectors_exist() {
    let severities: BTreeSet<_> = Severity::ALL.iter().map(ToString::to_string).collect();
    let kinds: BTreeSet<_> = FindingKind::ALL.iter().map(ToString::to_string).collect();
    // Only selectors of findings are read, because alerts have a label severity too.
    let texts = expressions()
        .into_iter()
        .chain([read("alerts.yml"), read("alerts_test.yml")]);
    let of_findings = texts.flat_map(|text| {
        let parts = text.split("pintrace_findings_total{").skip(1);
        let selectors = parts.filter_map(|part| part.split('}').next());
        selectors.map(str::to_owned).collect::<Vec<_>>()
    });
    let of_findings: String = of_findings.collect();
    let (severities_used, kinds_used) = (selected(&of_findings, "severity"), selected(&of_findings, "kind"));
    assert!(severities_used.contains("alarm") && severities_used.contains("hazard"));
    assert!(severities_used.is_subset(&severities), "{severities_used:?}");
    assert!(kinds_used.is_subset(&kinds), "{kinds_used:?}");
}

#[test]
fn a_counter_is_shown_as_a_rate_or_an_increase() {
    for expression in expressions() {
        for name in mentioned(&expression)
            .iter()
            .filter(|name| name.ends_with("_total"))
        {
            let wrapped = ["rate(", "increase("]
                .iter()
                .any(|call| expression.contains(&format!("{call}{name}")));
            assert!(wrapped, "{expression}");
        }
    }
}

#[test]
fn panels_have_unique_ids_descriptions_and_separate_places() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{title}: id used twice"
        );
        assert!(
            panel["description"]
                .as_str()
                .is_some_and(|text| text.ends_with('.')),
            "{title}: no description"
        );
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title}: off the grid");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{title}: covers another panel");
            }
        }
    }
}

#[test]
fn the_texts_name_keys_of_the_views_that_they_mean() {
    let findings = View::Findings.digit();
    let pin_calls = View::PinCalls.digit();
    for (file, expected) in [
        ("alerts.yml", [findings, pin_calls].as_slice()),
        ("alerts_test.yml", &[findings, pin_calls]),
        ("pintrace.json", &[findings]),
    ] {
        let text = read(file);
        let named: BTreeSet<char> = text
            .match_indices(", key ")
            .filter_map(|(start, before)| text[start + before.len()..].chars().next())
            .collect();
        assert_eq!(named, expected.iter().copied().collect(), "{file}");
    }
}

#[test]
#[ignore = "needs promtool, of Debian's prometheus package, on the PATH or in $PINTRACE_PROMTOOL"]
fn promtool_accepts_the_alerts() {
    let promtool = std::env::var_os("PINTRACE_PROMTOOL").unwrap_or_else(|| "promtool".into());
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let output = Command::new(&promtool)
            .args(arguments)
            .current_dir(folder())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
#[ignore = "needs promtool, of Debian's prometheus package, on the PATH or in $PINTRACE_PROMTOOL"]
fn promtool_parses_every_expression_of_the_dashboard() {
    let promtool = std::env::var_os("PINTRACE_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (index, expression) in expressions()
        .iter()
        .filter(|expression| !expression.starts_with("label_values"))
        .enumerate()
    {
        // Grafana replaces these variables before a query.
        let query = expression
            .replace("$__rate_interval", "5m")
            .replace("$__range", "1h")
            .replace("$__interval", "1m");
        let quoted = serde_json::to_string(&query).unwrap();
        rules.extend([
            "      - record: panel:",
            &index.to_string(),
            "\n        expr: ",
            &quoted,
            "\n",
        ]);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &rules).unwrap();
    let output = Command::new(promtool)
        .args(["check", "rules"])
        .arg(file.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}\n{rules}",
        String::from_utf8_lossy(&said)
    );
}
