use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::own_cost::{MapMemory, Measurement, ProcessCost, RingFill, RunTime};

const SECOND: u64 = 1_000_000_000;

fn words(cost: OwnCost, label: &str) -> Option<String> {
    let snapshot = Snapshot {
        time: Nanos(112 * SECOND),
        own_cost: Some(Arc::new(cost)),
        ..crate::Model::default().snapshot()
    };
    let all = entries(&snapshot, 1);
    all.into_iter()
        .find(|entry| entry.label == label)
        .map(|entry| entry.words)
}

fn measured() -> OwnCost {
    let runs = |count, time| Runs {
        count,
        time: Nanos(time),
    };
    let latest = Measurement {
        over: Nanos(SECOND),
        runs: BTreeMap::from([
            (ProgramPurpose::Pins, runs(2000, 1_000_000)),
            (ProgramPurpose::Findings, runs(0, 0)),
            (ProgramPurpose::Scan, runs(1, 500_000_000)),
        ]),
    };
    OwnCost {
        cpus: 4,
        run_time: RunTime {
            statistics: Statistics::Sampled,
            total: latest.clone(),
            latest: Some(latest),
            ended: Nanos(100 * SECOND),
        },
        process: ProcessCost {
            cpu: Nanos(3 * SECOND),
            cpu_of_interval: Nanos(SECOND / 50),
            interval: Nanos(SECOND),
            resident: Some(12 << 20),
        },
        ..OwnCost::default()
    }
}

#[test]
fn shares_are_of_one_cpu_and_of_the_machine() {
    assert_eq!(
        words(measured(), "programs").unwrap(),
        "0.10% of one CPU, 0.03% of this machine; measured over 1.0s, 12s ago"
    );
    assert_eq!(
        words(measured(), "pins").unwrap(),
        "0.10% of one CPU, 2000 runs/s, 500ns per run"
    );
    assert_eq!(words(measured(), "findings").unwrap(), "no run");
}

#[test]
fn the_run_time_of_scans_is_part_of_the_process_and_counts_once() {
    assert_eq!(
        words(measured(), "total").unwrap(),
        "2.10% of one CPU, 0.53% of this machine"
    );
    let scan = words(measured(), "scan").unwrap();
    assert!(scan.starts_with("50.0% of one CPU, inside the process"), "{scan}");
}

#[test]
fn a_refusal_is_one_sentence_and_the_rest_is_shown() {
    let mut cost = measured();
    cost.run_time = RunTime {
        statistics: Statistics::Refused("it needs\x1b CAP_SYS_ADMIN.".to_owned()),
        ..RunTime::default()
    };
    assert_eq!(words(cost.clone(), "total"), None);
    assert_eq!(
        words(cost.clone(), "programs").unwrap(),
        "Not measured: it needs\\u{1b} CAP_SYS_ADMIN."
    );
    assert!(words(cost, "process").unwrap().ends_with("12 MiB resident"));
}

#[test]
fn the_largest_maps_are_named() {
    let map = |bytes| MapMemory { maps: 1, bytes };
    let mut cost = measured();
    cost.maps = BTreeMap::from([("A".to_owned(), map(4096)), ("B".to_owned(), map(8192))]);
    assert_eq!(words(cost.clone(), "maps").unwrap(), "12 KiB in 2 maps");
    assert_eq!(words(cost.clone(), "B").unwrap(), "8 KiB");
    assert_eq!(words(cost.clone(), "A"), None);
    cost.maps_unread = "EACCES".to_owned();
    assert_eq!(words(cost, "maps").unwrap(), "Memory unknown: EACCES");
}

#[test]
fn hostile_figures_overflow_nothing() {
    let most = Runs {
        count: u64::MAX,
        time: Nanos(u64::MAX),
    };
    let latest = Measurement {
        over: Nanos(0),
        runs: ProgramPurpose::ALL.map(|purpose| (purpose, most)).into(),
    };
    let mut total = latest.clone();
    total.add(&latest);
    assert_eq!(total.runs[&ProgramPurpose::Pins], most);
    let cost = OwnCost {
        run_time: RunTime {
            latest: Some(latest),
            ended: Nanos(u64::MAX),
            ..RunTime::default()
        },
        maps: BTreeMap::from([(
            "\n".to_owned(),
            MapMemory {
                maps: u32::MAX,
                bytes: u64::MAX,
            },
        )]),
        ring: Some(RingFill {
            size: 0,
            used: u64::MAX,
            most: u64::MAX,
        }),
        ..OwnCost::default()
    };
    for label in ["programs", "pins", "process", "ring buffer", "maps", "\\n"] {
        let words = words(cost.clone(), label).unwrap();
        assert!(!words.contains(char::is_control), "{words:?}");
    }
}
