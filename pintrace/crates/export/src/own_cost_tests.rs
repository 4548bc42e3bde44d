//! The own cost in the table and in JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use insta::assert_snapshot;

use pintrace_events::units::Nanos;
use pintrace_model::Model;
use pintrace_model::own_cost::{
    MapMemory, Measurement, OwnCost, ProcessCost, ProgramPurpose, RingFill, RunTime, Runs, Statistics,
};
use pintrace_model::snapshot::Snapshot;
use serde_json::Value;

use super::{json, table};

fn cost() -> OwnCost {
    let runs = |count, time| Runs {
        count,
        time: Nanos(time),
    };
    let latest = Measurement {
        over: Nanos(1_000_000_000),
        runs: BTreeMap::from([
            (ProgramPurpose::Pins, runs(128, 96_000)),
            (ProgramPurpose::Scan, runs(0, 0)),
        ]),
    };
    let map = |bytes| MapMemory { maps: 1, bytes };
    OwnCost {
        cpus: 2,
        run_time: RunTime {
            statistics: Statistics::Sampled,
            total: latest.clone(),
            latest: Some(latest),
            ended: Nanos(0),
        },
        maps: BTreeMap::from([("RING".to_owned(), map(8 << 20)), (".bss".to_owned(), map(4096))]),
        maps_unread: String::new(),
        ring: Some(RingFill {
            size: 4 << 20,
            used: 0,
            most: 3000,
        }),
        process: ProcessCost {
            cpu: Nanos(720_000_000),
            cpu_of_interval: Nanos(9_000_000),
            interval: Nanos(1_000_000_000),
            resident: Some(18 << 20),
        },
    }
}

fn with(cost: OwnCost) -> Snapshot {
    let mut model = Model::default();
    model.set_own_cost(Some(Arc::new(cost)));
    model.snapshot()
}

fn document(snapshot: &Snapshot) -> Value {
    serde_json::from_str(&json::render(snapshot, true).unwrap()).unwrap()
}

#[test]
fn the_table_ends_with_the_own_cost() {
    let text = table::render(&with(cost()), table::TableOptions::default());
    let (_, own_cost) = text.split_once("\nown cost\n").unwrap();
    assert_snapshot!("own_cost", own_cost);
}

#[test]
fn a_narrow_table_wraps_the_own_cost() {
    let options = table::TableOptions {
        width: 40,
        ..table::TableOptions::default()
    };
    let text = table::render(&with(cost()), options);
    let (_, own_cost) = text.split_once("\nown cost\n").unwrap();
    let fits = own_cost.lines().all(|line| pintrace_text::width(line) <= 40);
    assert!(fits, "{own_cost}");
}

#[test]
fn the_json_has_the_figures_without_rounding() {
    let value = document(&with(cost()));
    assert_snapshot!(
        "own_cost_json",
        &(serde_json::to_string_pretty(&value["own_cost"]).unwrap() + "\n")
    );
}

#[test]
fn unknown_figures_are_null_and_have_a_reason() {
    let unknown = OwnCost {
        run_time: RunTime {
            statistics: Statistics::Refused("not here.".to_owned()),
            ..RunTime::default()
        },
        maps_unread: "EACCES".to_owned(),
        ..OwnCost::default()
    };
    let value = document(&with(unknown));
    let own_cost = &value["own_cost"];
    for key in ["maps", "map_bytes", "ring", "resident_bytes"] {
        assert!(own_cost[key].is_null(), "{key}");
    }
    assert_eq!(own_cost["maps_unread"], "EACCES");
    assert_eq!(own_cost["run_time"]["statistics"], "refused");
    assert_eq!(own_cost["run_time"]["why"], "not here.");
    assert!(own_cost["run_time"]["latest"].is_null());
    // A recording has no own cost.
    assert!(document(&Snapshot::default())["own_cost"].is_null());
}
