//! Compares docs/glossary.md with the catalogue in both directions: each name of the catalogue is in the glossary, and
//! each name in the glossary exists.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use pintrace_common::counters::{Loss, Total};
use pintrace_events::units::Nanos;
use pintrace_events::{Body, ScanSampled};
use pintrace_export::json;
use pintrace_model::Model;
use pintrace_model::field::metric;
use pintrace_model::field::names::column_ids;
use pintrace_model::own_cost::{Measurement, OwnCost, ProgramPurpose, RingFill, RunTime, Runs};
use pintrace_testing::event_builder::{EventBuilder, finding_fixtures, fio_and_others, pin_call_fixtures};
use serde_json::Value;

/// One row of the glossary.
struct Row {
    term: String,
    names: Vec<String>,
}

/// Returns the rows of all tables: lines that begin with `| ` and are neither the heading nor the rule of a table.
fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/glossary.md");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("| "));
    let cells = lines.map(|line| {
        line.trim_matches('|')
            .split(" | ")
            .map(str::trim)
            .collect::<Vec<_>>()
    });
    let rows = cells.filter(|cells| cells[0] != "term" && !cells[0].starts_with("---"));
    rows.map(|cells| {
        let &[term, meaning, origin, names] = &cells[..] else {
            panic!("a row has four cells: {cells:?}")
        };
        assert!(!meaning.is_empty() && !origin.is_empty(), "{term}");
        Row {
            term: term.to_owned(),
            names: listed(names),
        }
    })
    .collect()
}

/// Returns the names in a cell, which is `-` or a list of names in backticks.
fn listed(cell: &str) -> Vec<String> {
    if cell == "-" {
        return Vec::new();
    }
    let names = cell.split(", ").map(|name| {
        let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
        name.unwrap_or_else(|| panic!("no list of names: {cell}"))
            .to_owned()
    });
    names.collect()
}

/// Returns the names of columns, figures of the header, metrics and counters.
fn catalogue() -> BTreeSet<String> {
    let snapshot = Model::default().snapshot();
    let columns = column_ids().into_iter();
    let metrics = metric::families(&snapshot);
    let metrics = metrics.iter().map(|family| family.metric.name);
    let counters =
        (Total::ALL.iter().map(|total| total.name())).chain(Loss::ALL.iter().map(|loss| loss.name()));
    columns
        .chain(metrics)
        .chain(counters)
        .map(str::to_owned)
        .collect()
}

/// Returns an own cost with a measurement and a ring buffer.
fn own_cost() -> OwnCost {
    let total = Measurement {
        over: Nanos(1),
        runs: [(ProgramPurpose::Pins, Runs::default())].into(),
    };
    OwnCost {
        run_time: RunTime {
            total,
            ..RunTime::default()
        },
        ring: Some(RingFill::default()),
        ..OwnCost::default()
    }
}

/// Returns the JSON of `report` for streams with pins, a scan, findings and pin calls.
fn reports() -> [Value; 3] {
    let report = |stream: EventBuilder| {
        let mut model = Model::default();
        model.set_own_cost(Some(Arc::new(own_cost())));
        for event in &stream.events {
            model.apply(event);
        }
        let mut snapshot = model.snapshot();
        snapshot.select("", |_| true);
        serde_json::from_str(&json::render(&snapshot, true).unwrap()).unwrap()
    };
    let mut with_scan = fio_and_others();
    with_scan.emit(Body::ScanSampled(ScanSampled::default()));
    [
        report(with_scan),
        report(finding_fixtures()),
        report(pin_call_fixtures()),
    ]
}

/// Collects all keys, at any depth.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn each_name_of_the_catalogue_is_in_exactly_one_row() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Row { term, names } in rows() {
        for name in names {
            places.entry(name).or_default().push(term.clone());
        }
    }
    let none = Vec::new();
    let wrong: Vec<_> = catalogue()
        .into_iter()
        .map(|name| (places.get(&name).unwrap_or(&none).clone(), name))
        .filter(|(terms, _)| terms.len() != 1)
        .collect();
    assert!(wrong.is_empty(), "not in exactly one row: {wrong:#?}");
}

#[test]
fn each_top_level_key_of_a_report_is_in_the_glossary() {
    let names: BTreeSet<_> = rows().into_iter().flat_map(|row| row.names).collect();
    for report in reports() {
        let missing: Vec<_> = report
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| !names.contains(*key))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

#[test]
fn each_name_in_the_glossary_exists() {
    let mut known = catalogue();
    for report in reports() {
        keys(&report, &mut known);
    }
    let scan = pintrace::cmd::scan::example_json().unwrap();
    keys(&serde_json::from_str(&scan).unwrap(), &mut known);
    let names = rows().into_iter().flat_map(|row| row.names);
    let unknown: Vec<_> = names.filter(|name| !known.contains(name)).collect();
    assert!(
        unknown.is_empty(),
        "no column, metric, counter or JSON key: {unknown:?}"
    );
}

#[test]
fn no_term_is_listed_twice() {
    let mut seen = BTreeSet::new();
    for Row { term, .. } in rows() {
        assert!(seen.insert(term.clone()), "{term}");
    }
}
